package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api/polymathv1"
	"github.com/polymath-run/polymath/internal/function"
	"github.com/polymath-run/polymath/internal/worker"
)

// Work are the choices of a worker at a server elsewhere. See the fields of
// the public package worker's Options.
type Work struct {
	Server    string
	Name      string
	Functions *function.Set
	Declared  []*polymathv1.Declaration // what the server has no code for
	Parallel  int
	Each      time.Duration
	TLS       *tls.Config
	Lost      func(error)
}

// Run works for the server until ctx ends, and then hands back what it holds.
func (w *Work) Run(ctx context.Context) error {
	if w.Name != "" {
		if err := polymath.CheckName("worker", w.Name); err != nil {
			return err
		}
	}
	l, err := Dial(ctx, w.Server, Options{TLS: w.TLS, Lost: w.Lost})
	if err != nil {
		return err
	}
	defer l.Close()
	o := worker.Options{Name: w.Name, Functions: w.Functions, Parallel: w.Parallel, Each: w.Each}
	if o.Name == "" {
		o.Name = defaultName()
	}
	if o.Parallel == 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	return worker.Run(ctx, &Host{link: l, functions: w.Declared}, o)
}

// defaultName is host name and process id.
func defaultName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	name := fmt.Sprintf("%s-%d", host, os.Getpid())
	return strings.ToValidUTF8(name[max(len(name)-polymath.MaxNameBytes, 0):], "")
}
