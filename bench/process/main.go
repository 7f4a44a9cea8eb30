package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Main runs a measurement in a temporary directory of its own, which is gone
// afterwards, and ends the process when it fails: with no bar there. Ctrl-C
// ends ctx.
func Main(name string, measure func(ctx context.Context, place string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := within(name, func(place string) error { return measure(ctx, place) })
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: NOT MEASURED: %v\n", name, err)
		os.Exit(1)
	}
}

func within(name string, work func(place string) error) (err error) {
	place, err := os.MkdirTemp("", "polymath-"+name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(place)) }()
	return work(place)
}
