package history

import (
	"slices"
	"sort"
	"time"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/ledger"
)

// Bounds of the spans: MaxSpans of them, or those of SpanRetention, whichever
// is less.
const (
	MaxSpans      = maxOpen + maxEnded
	SpanRetention = 15 * time.Minute
	// MaxPage is the most spans one read returns.
	MaxPage = 1000

	maxOpen    = 20_000 // more than a worker has; leases beyond are counted and have no span
	maxEnded   = 30_000
	chunkSpans = 1000 // spans that are allocated, and forgotten, together
	minHoles   = 64   // spans taken out before the others move up
	hole       = -1   // Span.Ended of one taken out

	// cursorsPerMilli keeps the cursors of a process above those of the one
	// before, unless that ended a million leases a second all its life. They
	// stay below 2^53, what JSON can carry exactly, until the year 2255.
	cursorsPerMilli = 1000
)

// Span is a lease from its grant to its end: one bar of the task stream.
type Span struct {
	Token       polymath.Token
	Job         polymath.JobID
	Function    string
	Worker      string // "" when its session is not known
	Interval    polymath.Interval
	Granted     int64 // Unix milliseconds
	Ended       int64 // Unix milliseconds, 0: still open
	Attempt     uint32
	Outcome     ledger.Outcome // meaningless while the span is open
	Speculative bool
}

// State is the word for how the span stands: running, or how it ended.
func (s *Span) State() string {
	if s.Ended == 0 {
		return "running"
	}
	switch s.Outcome {
	case ledger.Completed:
		return "completed"
	case ledger.Errored:
		return "failed"
	case ledger.Returned:
		return "returned"
	case ledger.Expired:
		return "expired"
	default:
		return "superseded"
	}
}

// SpanPage is what Ended returns.
type SpanPage struct {
	Spans []Span // in the order in which they ended
	Next  uint64 // the cursor to go on with
	More  bool   // there were further spans at the time
	// Gap: spans between the cursor and these were forgotten, or the cursor is
	// one of an earlier process.
	Gap bool
}

// Ended pages through the spans that ended, oldest first, at most limit of
// them and never more than MaxPage. It begins after a cursor: that of the page
// before, or 0.
func (h *History) Ended(now int64, after uint64, limit int) SpanPage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended.page(now-SpanRetention.Milliseconds(), after, min(limit, MaxPage))
}

// Open copies the spans of leases that are out, in the order of their tokens,
// those after a token, which may be zero, at most limit of them and never more
// than MaxPage.
func (h *History) Open(after polymath.Token, limit int) []Span {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open.page(after, min(limit, MaxPage))
}

// Unspanned is how many leases have no span because too many were out.
func (h *History) Unspanned() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open.left
}

// openSpans is the leases that are out, by token. Tokens rise, so that a new
// one goes to the end; one that is over leaves a hole, a span with an end.
type openSpans struct {
	spans []Span
	holes int
	front int    // before it are only holes
	left  uint64 // out
}

// find is where a token is or belongs: most often at the front.
func (o *openSpans) find(t polymath.Token) (int, bool) {
	if o.front < len(o.spans) && o.spans[o.front].Token == t {
		return o.front, true
	}
	i := sort.Search(len(o.spans), func(i int) bool { return o.spans[i].Token.Ref.Compare(t.Ref) >= 0 })
	return i, i < len(o.spans) && o.spans[i].Token == t
}

func (o *openSpans) add(s Span) {
	if len(o.spans)-o.holes >= maxOpen {
		o.left++
		return
	}
	if last := len(o.spans) - 1; last < 0 || o.spans[last].Token.Ref.Compare(s.Token.Ref) < 0 {
		o.spans = append(o.spans, s)
	} else if i, known := o.find(s.Token); !known { // restored ones come by session
		o.spans = slices.Insert(o.spans, i, s)
		o.front = min(o.front, i)
	}
}

func (o *openSpans) take(t polymath.Token) (Span, bool) {
	i, ok := o.find(t)
	if !ok || o.spans[i].Ended != 0 {
		return Span{}, false
	}
	s := o.spans[i]
	o.spans[i].Ended = hole
	if o.holes++; o.holes > minHoles && o.holes > len(o.spans)/2 {
		o.spans = slices.DeleteFunc(o.spans, func(s Span) bool { return s.Ended != 0 })
		o.holes, o.front = 0, 0
	}
	for o.front < len(o.spans) && o.spans[o.front].Ended != 0 {
		o.front++
	}
	return s, true
}

func (o *openSpans) page(after polymath.Token, limit int) []Span {
	i, known := o.find(after)
	if known {
		i++
	}
	var out []Span
	for ; i < len(o.spans) && len(out) < limit; i++ {
		if o.spans[i].Ended == 0 {
			out = append(out, o.spans[i])
		}
	}
	return out
}
