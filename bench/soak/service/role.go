package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/worker"
)

// The other roles of this program:
//
//	service -role-worker URL
//	service -role-client URL NAME BOOK
const (
	workerRole = "-role-worker"
	clientRole = "-role-client"
)

// What is calculated: sums of up to 400 numbers, at a millisecond each, in
// parts of 100.
const (
	sumName   = "triangle"
	unitTime  = time.Millisecond
	partTime  = 100 * time.Millisecond
	mostUnits = 400
	mostFrom  = 1 << 30
	slots     = 8 // of a worker: it only waits
	lanes     = 4 // orders a client has at a time

	auditLanes = 64 // orders the audit has at a time

	// attempts of a part. Workers die here as often as others draw breath; a
	// part is to outlive that, and one that takes its workers with it is not
	// what this is about.
	attempts = polymath.MaxAttempts
)

// Bounds of waiting for a server that is dead most of the time.
const (
	again    = 50 * time.Millisecond
	patience = 3 * time.Minute // with one call, over all its repetitions
)

func role(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch {
	case len(args) == 2 && args[0] == workerRole:
		return work(ctx, args[1])
	case len(args) == 4 && args[0] == clientRole:
		return shop(ctx, args[1], args[2], args[3])
	default:
		return fmt.Errorf("%q is no role of this program", args)
	}
}

// work is a worker, until ctx ends.
func work(ctx context.Context, url string) error {
	f := worker.Range(sumName, worker.Sum, sum).Cost(unitTime)
	err := repeat(ctx, func(ctx context.Context) error {
		return worker.Run(ctx, worker.Options{Server: url, Parallel: slots, Each: partTime}, f)
	})
	return asked(ctx, err)
}

// asked makes an error nothing if the process was asked to end.
func asked(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// sum adds the numbers of a part, slowly.
func sum(ctx context.Context, s worker.Span) (total int64, err error) {
	tick := time.NewTicker(unitTime)
	defer tick.Stop()
	for n := s.From; n <= s.To; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		total += int64(n)
		s.Progress(n - s.From + 1)
	}
	return total, nil
}

// repeat does something until it succeeds, is refused for good, or patience is
// lost.
func repeat(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := do(ctx)
		var wrong *wrongError
		if code := polymath.CodeOf(err); err == nil || errors.As(err, &wrong) || code == polymath.InvalidArgument || code == polymath.KeyReused {
			return err
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", patience, err)
		}
	}
}

// wrongError is an answer that no repetition makes right.
type wrongError struct{ text string }

func (e *wrongError) Error() string { return e.text }

// buyer is a client's process: it orders, and goes on with what an earlier
// process of its name had ordered.
type buyer struct {
	name   string
	client *client.Client
	book   *book
}

// run orders until ctx ends, and then waits for what is under way.
func (b *buyer) run(ctx context.Context) error {
	open := b.book.open()
	errs := make([]error, lanes)
	var working sync.WaitGroup
	for lane := range lanes {
		working.Go(func() {
			for i := lane; i < len(open) && errs[lane] == nil; i += lanes {
				errs[lane] = b.settle(open[i])
			}
			for ctx.Err() == nil && errs[lane] == nil {
				errs[lane] = b.next()
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}

// settleAll settles orders, many at a time, and gives the error of each.
func (b *buyer) settleAll(orders []*order) []error {
	errs := make([]error, len(orders))
	var next atomic.Int64
	var working sync.WaitGroup
	for range auditLanes {
		working.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(orders)); i = next.Add(1) - 1 {
				errs[i] = b.settle(orders[i])
			}
		})
	}
	working.Wait()
	return errs
}

// next is one new order, to its end.
func (b *buyer) next() error {
	from := rand.Uint64N(mostFrom)
	o, err := b.book.try(from, from+rand.Uint64N(mostUnits))
	if err != nil {
		return err
	}
	return b.settle(o)
}

// settle submits an order, again if it is not known whether it was, and waits
// for its answer. It does not end with the process's context: what is under
// way is brought to its end.
func (b *buyer) settle(o *order) error {
	err := repeat(context.Background(), func(ctx context.Context) error {
		job, err := b.client.Submit(ctx, client.Request{Function: sumName, Input: o.input(), Attempts: attempts, Key: o.key(b.name)})
		if err != nil {
			return err
		}
		if err := b.book.ack(o, job); err != nil {
			return &wrongError{err.Error()}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("submit order %d of client %s: %w", o.seq, b.name, err)
	}
	err = repeat(context.Background(), func(ctx context.Context) error {
		job, err := b.client.Wait(ctx, o.job)
		if err != nil {
			return err
		}
		if job.State != polymath.Succeeded || string(job.Answer) != o.answer() {
			return &wrongError{fmt.Sprintf("it %v with %s, not %s: %v", job.State, job.Answer, o.answer(), job.Err)}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("job %v, order %d of client %s: %w", o.job, o.seq, b.name, err)
	}
	return b.book.end(o)
}

// newBuyer opens the book and a connection.
func newBuyer(ctx context.Context, url, name, path string) (b *buyer, err error) {
	b = &buyer{name: name}
	if b.book, err = openBook(path); err != nil {
		return nil, err
	}
	err = repeat(ctx, func(ctx context.Context) error {
		b.client, err = client.Dial(ctx, url, client.Options{})
		return err
	})
	return b, err
}

func (b *buyer) close() error {
	b.client.Close()
	return b.book.close()
}

// shop is a client's process.
func shop(ctx context.Context, url, name, path string) error {
	b, err := newBuyer(ctx, url, name, path)
	if err != nil {
		return asked(ctx, err)
	}
	return errors.Join(b.run(ctx), b.close())
}
