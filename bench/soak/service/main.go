// Command service kills a server, its workers and its clients with SIGKILL at
// random moments for ten minutes, and starts each again at once; then it looks
// whether every job that was acknowledged has ended once, and right.
//
//	8 clients ──idempotent submissions──> server <──── 3 workers
//	    │                                    │
//	  books: what was tried, acknowledged,  data directory
//	  answered; they outlive the clients
//
// A client that comes back submits again, under the same key, what it does not
// know the outcome of. In the end every order of every book is submitted once
// more: it must lead to the job it led to before, and the archive must have as
// many jobs as the books have orders.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/polymath-run/polymath/bench/process"
)

// settings of a soak.
type settings struct {
	length           time.Duration
	seed             uint64
	workers, clients int
	longest          time.Duration // from one kill to the next
}

func main() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "-role-") {
		process.End("service", role(os.Args[1:]))
		return
	}
	s := settings{workers: 3, clients: 8}
	flag.DurationVar(&s.length, "length", 10*time.Minute, "how long processes are killed")
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "of who is killed and when")
	flag.DurationVar(&s.longest, "longest", 1500*time.Millisecond, "at most, from one kill to the next")
	flag.Parse()
	process.Run("service", func(ctx context.Context) error { return soak(ctx, s, os.Stdout) })
}

// soak starts everything, kills, lets it come to its end and audits.
func soak(ctx context.Context, s settings, out io.Writer) (err error) {
	place, err := os.MkdirTemp("", "polymath-service-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(place)) }()
	c, err := newCast(ctx, s, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.end()) }()
	_, _ = fmt.Fprintf(out, "%d workers, %d clients, %v, seed %d\n", s.workers, s.clients, s.length, s.seed)
	if err := c.kill(ctx, rand.New(rand.NewPCG(s.seed, 0))); err != nil {
		return fmt.Errorf("seed %d: %w", s.seed, err)
	}
	if err := c.rest(); err != nil {
		return fmt.Errorf("the clients' end, seed %d: %w", s.seed, err)
	}
	found, err := c.audit(ctx)
	if err != nil {
		return fmt.Errorf("audit, seed %d: %w", s.seed, err)
	}
	_, _ = fmt.Fprintf(out, "killed: %s\n%d orders, %d of them acknowledged before the audit, %d jobs in the archive\n",
		c.deaths(), found.orders, found.acked, found.archived)
	_, _ = fmt.Fprintf(out, "bar service/lost %d\nbar service/twice %d\n", found.lost, found.twice)
	if found.lost+found.twice > 0 {
		return fmt.Errorf("seed %d: %s", s.seed, strings.Join(found.complaints, "\n"))
	}
	return nil
}
