package guard

import (
	"time"

	"github.com/polymath-run/polymath/internal/balance/recent"
)

const (
	// DefaultPercent is how many attempts more than requests are made at most,
	// as Finagle's RetryBudget has it.
	DefaultPercent = 20

	// DefaultLeast is how many more may be made a second whatever the rate is:
	// a service asked now and then would never be asked again else.
	DefaultLeast = 3

	// MaxPercent doubles every request.
	MaxPercent = 100

	// MaxLeast is the most that DefaultLeast may be set to.
	MaxLeast = 1_000_000
)

// Share is what a Budget allows.
type Share struct {
	Percent int // of the requests in the last recent.Length, 0 to MaxPercent
	Least   int // a second, whatever the requests were
}

// Budget limits attempts that nobody asked for, retries or hedges, to a share of
// the requests. In every window of recent.Length
//
//	spent <= Percent / 100 * requests + Least * window
//
// and so over any time, as windows that end with a spending can be laid over it
// side by side.
type Budget struct {
	share    Share
	requests recent.Window
	spent    recent.Window
}

// NewBudget makes a full budget without requests.
func NewBudget(s Share) Budget { return Budget{share: s} }

// Set changes the share from now on.
func (b *Budget) Set(s Share) { b.share = s }

// Request counts one that somebody asked for.
func (b *Budget) Request(now time.Duration) { b.requests.Add(now, 1) }

// Spend asks for one attempt more, and counts it if there may be one.
func (b *Budget) Spend(now time.Duration) bool {
	const percent, seconds = 100, int64(recent.Length / time.Second)
	spent := b.spent.Sum(now) + 1
	if (spent-int64(b.share.Least)*seconds)*percent > int64(b.share.Percent)*b.requests.Sum(now) {
		return false
	}
	b.spent.Add(now, 1)
	return true
}
