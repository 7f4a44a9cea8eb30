// Command polymath calculates: on this machine with one command and nothing
// else installed.
//
//	polymath run primes --to 1e9
//	polymath functions
//
// This file is all that touches the process: its arguments, environment,
// streams, signals and end. Everything else takes them as values, so that
// tests run the program as it is.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/polymath-run/polymath"
)

func main() {
	ctx, stop := interruptible(context.Background())
	code := run(ctx, os.Args[1:], surroundings{
		lookup: os.LookupEnv,
		stdin:  os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		width: terminalWidth, terminal: term.IsTerminal(int(os.Stdout.Fd())),
	})
	stop()
	os.Exit(code)
}

// interruptible ends ctx at the first Ctrl-C or SIGTERM, so that the program
// can leave in order; the second one ends the process at once, which is no
// less safe.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(polymath.ExitInterrupted)
	}()
	return ctx, cancel
}

// terminalWidth is the width of standard error in columns, 0 when it is no
// terminal.
func terminalWidth() int {
	width, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil {
		return 0
	}
	return columns(width)
}

// columns is how wide a terminal is taken to be that says it has so many. Some
// say 0, as those of serial lines do: they have what terminals have had since
// the first ones.
func columns(width int) int {
	if width <= 0 {
		return 80
	}
	return width
}
