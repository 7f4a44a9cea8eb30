package client_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/internal/app"
	"github.com/polymath-run/polymath/internal/function/all"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server with workers in a directory; an address of "" is one
// that is free.
func serve(ctx context.Context, directory, address string, workers int) (*app.Server, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	return app.Serve(ctx, app.ServerOptions{
		Options: app.Options{Directory: directory, Version: "test", Log: slog.New(slog.DiscardHandler)},
		Listen:  []string{address}, Functions: all.Set(true), Workers: workers,
	})
}

// start starts a server that is closed with the test.
func start(t *testing.T, workers int) *app.Server {
	t.Helper()
	s, err := serve(t.Context(), t.TempDir(), "", workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial connects to a server until the test ends.
func dial(t *testing.T, s *app.Server) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), s.URL(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// example is a server and a client of it for an example, and how to end both.
func example() (c *client.Client, end func()) {
	ctx := context.Background()
	directory, err := os.MkdirTemp("", "polymath-example-")
	if err != nil {
		panic(err)
	}
	s, err := serve(ctx, directory, "", 1)
	if err != nil {
		panic(err)
	}
	if c, err = client.Dial(ctx, s.URL(), client.Options{}); err != nil {
		panic(err)
	}
	return c, func() {
		c.Close()
		if err := s.Close(); err != nil {
			panic(err)
		}
		if err := os.RemoveAll(directory); err != nil {
			panic(err)
		}
	}
}
