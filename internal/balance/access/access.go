// Package access writes the balancer's access log: a line for each request, as
// JSON or in the combined format.
//
//	End ──▶ buffer being filled ──swap──▶ buffer being written ──▶ file, stdout
//	  │      of a fixed size                by one goroutine
//	  └▶ full: dropped, and counted
//
// Requests never wait for the log. Where lines come faster than they can be
// written, or nobody reads them, those that do not fit are dropped and counted.
package access

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

// Bounds of a Log.
const (
	// BufferBytes is the size of each of the two buffers: some 4,000 lines.
	BufferBytes = 1 << 20
	// FlushEvery is how long a line waits at most before it is written.
	FlushEvery = 100 * time.Millisecond

	// MaxText is the most bytes of a target, a host or a header field in a line;
	// more is cut off.
	MaxText = 2048
	// maxLine is what a line may take up: its texts, escaped six times as long,
	// and the rest.
	maxLine = 5*6*MaxText + 1024
)

// Form is how a line is written.
type Form uint8

// The forms.
const (
	JSON     Form = iota // an object
	Combined             // that of Apache and nginx
)

// Options are the choices of a Log.
type Options struct {
	Form Form
	// Every is of how many requests one is written; 0 and 1: all are. Requests
	// that failed, with a status of 500 or more or none at all, always are.
	Every int
	// Now is the clock of the exchanges.
	Now func() time.Duration
	// Wall is the time of day; nil: time.Now.
	Wall func() time.Time
	// Failed, where not nil, is told the first of write errors in a row.
	Failed func(error)
}

// Log is an access log. Its methods are safe for concurrent use. A nil Log
// writes nothing.
type Log struct {
	options Options
	seen    atomic.Uint64
	stats   [3]atomic.Uint64 // written, dropped, lost

	mu     sync.Mutex // owns filled and closed; held for a line at a time
	filled []byte
	spare  []byte // the other buffer; nil while it is written
	closed bool

	wake chan struct{} // there is a line; has room for one
	full chan struct{} // half of the buffer is; has room for one
	done chan struct{} // closed when the writer has ended
	stop chan struct{}

	to      io.Writer // the writer's own
	failing bool      // the writer's own
}

// New makes a Log that writes to w, until Close. It does not close w.
func New(w io.Writer, o Options) *Log {
	if o.Wall == nil {
		o.Wall = time.Now
	}
	l := &Log{
		options: o, to: w, filled: make([]byte, 0, BufferBytes), spare: make([]byte, 0, BufferBytes),
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), done: make(chan struct{}), stop: make(chan struct{}),
	}
	go l.write()
	return l
}

// End takes an exchange that is over. It allocates nothing and does not wait.
func (l *Log) End(x *forward.Exchange) {
	if l == nil || !l.chosen(x) {
		return
	}
	took, at := l.options.Now()-x.Begun, l.options.Wall()
	l.mu.Lock()
	if l.closed || cap(l.filled)-len(l.filled) < maxLine {
		l.mu.Unlock()
		l.stats[dropped].Add(1)
		return
	}
	first := len(l.filled) == 0
	if l.options.Form == Combined {
		l.filled = appendCombined(l.filled, x, at)
	} else {
		l.filled = appendJSON(l.filled, x, at, took)
	}
	half := len(l.filled) > cap(l.filled)/2
	l.mu.Unlock()
	l.stats[written].Add(1)
	if first {
		signal(l.wake)
	}
	if half {
		signal(l.full)
	}
}

// chosen reports whether an exchange is written.
func (l *Log) chosen(x *forward.Exchange) bool {
	if l.options.Every <= 1 || x.Status == 0 || x.Status >= 500 {
		return true
	}
	return l.seen.Add(1)%uint64(l.options.Every) == 1
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is signalled already
	}
}

// write is the writer: one goroutine.
func (l *Log) write() {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		select {
		case <-l.stop:
			l.flush()
			return
		case <-l.wake:
		}
		timer.Reset(FlushEvery)
		select {
		case <-timer.C:
		case <-l.full:
		case <-l.stop:
		}
		l.flush()
	}
}

// flush writes what there is.
func (l *Log) flush() {
	l.mu.Lock()
	lines := l.filled
	l.filled, l.spare = l.spare[:0], nil
	l.mu.Unlock()
	if len(lines) > 0 {
		_, err := l.to.Write(lines)
		if err != nil {
			l.stats[lost].Add(uint64(count(lines)))
			if !l.failing && l.options.Failed != nil {
				l.options.Failed(err)
			}
		}
		l.failing = err != nil
	}
	l.mu.Lock()
	l.spare = lines[:0]
	l.mu.Unlock()
}

// count is how many lines there are.
func count(lines []byte) (n int) {
	for _, c := range lines {
		if c == '\n' {
			n++
		}
	}
	return n
}

// Close writes what is there and ends the Log. Lines that come later are
// dropped. It returns when the writer has ended, which nobody who reads no more
// can keep from it for longer than he keeps the write.
func (l *Log) Close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	ended := l.closed
	l.closed = true
	l.mu.Unlock()
	if !ended {
		close(l.stop)
	}
	<-l.done
}

// The counters of a Log.
const (
	written = iota
	dropped
	lost
)

// Stats is what became of lines.
type Stats struct {
	Lines   uint64 // taken
	Dropped uint64 // there was no room
	Lost    uint64 // taken, and could not be written
}

// Stats reads the counters.
func (l *Log) Stats() Stats {
	if l == nil {
		return Stats{}
	}
	return Stats{Lines: l.stats[written].Load(), Dropped: l.stats[dropped].Load(), Lost: l.stats[lost].Load()}
}
