package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main runs a measurement in a temporary directory of its own, which is gone
// afterwards, and ends the process when it fails: with no bar there. Ctrl-C
// ends ctx.
func Main(name string, measure func(ctx context.Context, place string) error) {
	Run(name, func(ctx context.Context) error {
		if err := within(name, func(place string) error { return measure(ctx, place) }); err != nil {
			return fmt.Errorf("NOT MEASURED: %w", err)
		}
		return nil
	})
}

// Run does what the process is there for, and ends it when that fails. Ctrl-C
// ends ctx.
func Run(name string, work func(ctx context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := work(ctx)
	stop()
	End(name, err)
}

// End ends the process with what went wrong, if anything did; name is of what it
// does.
func End(name string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Pause waits, or until ctx ends, which is an error.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
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
