package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// How the garbage collector is paced in a server. Collecting when the heap has
// doubled, as Go does, is right for a large heap; a small one that much passes
// through is collected many times a second, for little memory.
const (
	freeHeap     = 64 << 20 // bytes of garbage that may gather in any case
	leastPercent = 100      // of the live heap, before it is collected
	mostPercent  = 400
	paceEvery    = time.Second
	paceStep     = 20 // percent points: less is no reason to change anything
)

// collectorPercent is after how much growth of the live heap, in bytes, to
// collect: in percent of it.
func collectorPercent(live uint64) int {
	return int(min(max(freeHeap*100/max(live, 1), leastPercent), mostPercent))
}

// paceCollector keeps the collector's pace right for the heap as it is, until
// the Server is closed. Whoever set GOGC knows better.
func (s *Server) paceCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	var pacing sync.WaitGroup
	before := debug.SetGCPercent(mostPercent)
	pacing.Go(func() {
		now := mostPercent
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		tick := time.NewTicker(paceEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				metrics.Read(live)
				if want := collectorPercent(live[0].Value.Uint64()); max(want-now, now-want) >= paceStep {
					debug.SetGCPercent(want)
					now = want
				}
			}
		}
	})
	s.stack.push("the collector's pace", func() error {
		stop()
		pacing.Wait()
		debug.SetGCPercent(before)
		return nil
	})
}
