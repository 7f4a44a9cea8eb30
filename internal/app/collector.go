package app

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

// How the garbage collector is paced in a server. Collecting when the heap has
// doubled, as Go does, is right for a large heap; a small one that much passes
// through is collected many times a second, for little memory.
const (
	freeHeap     = 128 << 20 // bytes of garbage that may gather beyond that
	leastPercent = 100       // of the live heap, before it is collected
	mostPercent  = 400
	paceStep     = 20 // percent points: less is no reason to change anything
)

// collectorPercent is after how much growth of the live heap, in bytes, to
// collect: in percent of it.
func collectorPercent(live uint64) int {
	return int(min(leastPercent+freeHeap*100/max(live, 1), mostPercent))
}

// paceCollector keeps the collector's pace right for the heap as it is, until
// the Server is closed. Whoever set GOGC knows better.
func (s *Server) paceCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	before, now := debug.SetGCPercent(mostPercent), mostPercent
	s.stack.push("the collector's pace", func() error {
		debug.SetGCPercent(before)
		return nil
	})
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	s.everySecond("the pacing of the collector", func() {
		metrics.Read(live)
		if want := collectorPercent(live[0].Value.Uint64()); max(want-now, now-want) >= paceStep {
			debug.SetGCPercent(want)
			now = want
		}
	})
}
