// Command worker-go offers functions of its own to a Polymath server:
//
//	go run ./examples/worker-go http://127.0.0.1:8080
//	polymath submit collatz --input '{"to":1000000}' --wait
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/polymath-run/polymath/worker"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: worker-go URL")
	}
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := worker.Run(ctx, worker.Options{Server: os.Args[1]},
		worker.List("shout", shout).Summary("texts in capitals"),
		worker.Range("collatz", worker.Max, collatz).Summary("the longest way from a number of the range to 1"))
	if err != nil {
		log.Fatal(err)
	}
}

// shout is called for each element of a list.
func shout(_ context.Context, item json.RawMessage) (any, error) {
	var text string
	err := json.Unmarshal(item, &text)
	return strings.ToUpper(text), err
}

// collatz is called for parts of a range, on all cores.
func collatz(_ context.Context, s worker.Span) (longest int64, err error) {
	for n := max(s.From, 1); n <= s.To; n++ {
		steps := int64(0)
		for m := n; m != 1; steps++ {
			if m%2 == 0 {
				m /= 2
			} else {
				m = 3*m + 1
			}
		}
		longest = max(longest, steps)
		if n%(1<<16) == 0 {
			s.Progress(n - s.From)
		}
	}
	return longest, nil
}
