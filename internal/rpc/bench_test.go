package rpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/client"
	"github.com/polymath-run/polymath/worker"
)

// BenchmarkJobs submits jobs whose function does nothing, so many a call, to a
// server in this process, and has a worker in it run them all. What it counts
// is of both ends and of all that lies between.
func BenchmarkJobs(b *testing.B) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) { benchJobs(b, batch) })
	}
}

func benchJobs(b *testing.B, batch int) {
	const callers, workers = 64, 8
	s := start(b, b.TempDir(), "")
	ran := make(chan struct{}, 1024)
	answer := "01234567890123456789012345678901234567890123456789"
	f := worker.Call("nothing", func(context.Context, json.RawMessage) (any, error) {
		ran <- struct{}{}
		return answer, nil
	})
	s.work(func(ctx context.Context) error {
		return worker.Run(ctx, worker.Options{Server: s.url(), Name: "bench", Parallel: workers}, f)
	})
	c := s.dial()
	input := json.RawMessage(`{"t":"` + answer + answer[:40] + `"}`)
	submit := func(n int) error {
		requests := make([]client.Request, n)
		for i := range requests {
			requests[i] = client.Request{Function: "nothing", Input: input}
		}
		outcomes, err := c.SubmitMany(b.Context(), requests)
		for _, o := range outcomes {
			if err == nil {
				err = o.Err
			}
		}
		return err
	}
	for err := submit(1); err != nil; err = submit(1) { // until the worker has joined
		if polymath.CodeOf(err) != polymath.NotFound {
			b.Fatal(err)
		}
	}
	<-ran
	b.ReportAllocs()
	b.ResetTimer()
	left := atomic.Int64{}
	left.Store(int64(b.N))
	var calling sync.WaitGroup
	for range callers {
		calling.Go(func() {
			for {
				n := min(int(left.Add(int64(-batch)))+batch, batch)
				if n <= 0 {
					return
				}
				if err := submit(n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for range b.N {
		<-ran
	}
	calling.Wait()
}
