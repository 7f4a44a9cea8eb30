package journaltest

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/anishathalye/porcupine"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/journal"
	"github.com/polymath-run/polymath/internal/journal/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broken is a journal that breaks the contract in one place.
type broken struct {
	journal.Journal
	append func(ctx context.Context, entry []byte) error
	tail   func(polymath.Index) polymath.Index
	batch  func([]journal.Record) []journal.Record // what yield gets
	place  func(polymath.Index, journal.Checksum) (polymath.Index, journal.Checksum)
	follow func(error) error // what Follow returns
	trim   func(upTo polymath.Index) polymath.Index
}

func (b *broken) Append(ctx context.Context, entry []byte) error {
	if b.append != nil {
		return b.append(ctx, entry)
	}
	return b.Journal.Append(ctx, entry)
}

func (b *broken) Tail(ctx context.Context) (polymath.Index, error) {
	tail, err := b.Journal.Tail(ctx)
	if b.tail != nil && err == nil {
		tail = b.tail(tail)
	}
	return tail, err
}

func (b *broken) Follow(ctx context.Context, after polymath.Index, sum journal.Checksum, yield func([]journal.Record) error) error {
	if b.place != nil {
		after, sum = b.place(after, sum)
	}
	err := b.Journal.Follow(ctx, after, sum, func(batch []journal.Record) error {
		if b.batch != nil {
			batch = b.batch(batch)
		}
		return yield(batch)
	})
	if b.follow != nil {
		err = b.follow(err)
	}
	return err
}

func (b *broken) Trim(ctx context.Context, upTo polymath.Index) error {
	if b.trim != nil {
		upTo = b.trim(upTo)
	}
	return b.Journal.Trim(ctx, upTo)
}

// TestWhole is the suite on a journal that keeps every law, and on its harness.
func TestWhole(t *testing.T) {
	Run(t, func(testing.TB) Harness { return harness(nil) })
}

// breach is a journal that breaks the contract, and the law that must notice.
type breach struct {
	law   string
	spoil func(b *broken, e *sim.Engine)
}

// breaches has all of them, by what they do.
func breaches() map[string]breach {
	all := entryBreaches()
	maps.Copy(all, placeBreaches())
	return all
}

// entryBreaches do wrong by entries.
func entryBreaches() map[string]breach {
	return map[string]breach{
		"loses an entry": {"Order", func(b *broken, _ *sim.Engine) {
			b.batch = func(r []journal.Record) []journal.Record { return r[min(1, len(r)-1):] }
		}},
		"swaps two entries": {"Followers", func(b *broken, _ *sim.Engine) {
			b.batch = func(r []journal.Record) []journal.Record {
				if len(r) > 1 {
					r[0], r[1] = r[1], r[0]
				}
				return r
			}
		}},
		"gives an entry twice": {"Order", func(b *broken, _ *sim.Engine) {
			b.batch = func(r []journal.Record) []journal.Record { return append(r[:1:1], r...) }
		}},
		"begins again": {"Order", func(b *broken, _ *sim.Engine) {
			b.place = func(polymath.Index, journal.Checksum) (polymath.Index, journal.Checksum) { return polymath.Index{}, 0 }
		}},
		"appends twice": {"Followers", func(b *broken, _ *sim.Engine) {
			b.append = func(ctx context.Context, entry []byte) error {
				return errors.Join(b.Journal.Append(ctx, entry), b.Journal.Append(ctx, entry))
			}
		}},
		"reports unknown as refused": {"FailButStored", func(b *broken, _ *sim.Engine) {
			b.append = func(ctx context.Context, entry []byte) error {
				if err := b.Journal.Append(ctx, entry); err != nil {
					return journal.ErrNotAppended
				}
				return nil
			}
		}},
		"acknowledges what it lost": {"FailNotStored", func(b *broken, _ *sim.Engine) {
			b.append = func(ctx context.Context, entry []byte) error {
				_ = b.Journal.Append(ctx, entry)
				return nil
			}
		}},
		"forgets in a crash":  {"Crash", func(_ *broken, e *sim.Engine) { e.LoseTail(3) }},
		"forgets when closed": {"Reopen", func(_ *broken, e *sim.Engine) { e.LoseTail(1) }},
	}
}

// placeBreaches do wrong by places, limits and ends.
func placeBreaches() map[string]breach {
	return map[string]breach{
		"has a tail that is behind": {"Order", func(b *broken, _ *sim.Engine) {
			b.tail = func(x polymath.Index) polymath.Index { x.Position -= min(x.Position, 1); return x }
		}},
		"caches the tail": {"Tail", func(b *broken, _ *sim.Engine) {
			var calls atomic.Uint64
			var kept atomic.Value
			b.tail = func(x polymath.Index) polymath.Index {
				if calls.Add(1) < 10 {
					kept.Store(x)
				}
				return kept.Load().(polymath.Index)
			}
		}},
		"has no epochs": {"LostTail", func(b *broken, _ *sim.Engine) {
			b.tail = func(x polymath.Index) polymath.Index { x.Epoch = 1; return x }
			b.place = func(x polymath.Index, sum journal.Checksum) (polymath.Index, journal.Checksum) {
				if x.Position > 2 && e2(b) {
					x.Epoch = 2
				}
				return x, sum
			}
			b.batch = func(r []journal.Record) []journal.Record {
				for i := range r {
					r[i].Index.Epoch = 1
				}
				return r
			}
		}},
		"does not look at the checksum": {"Place", func(b *broken, _ *sim.Engine) {
			b.follow = func(err error) error {
				if errors.Is(err, journal.ErrDiverged) {
					return errEnough
				}
				return err
			}
		}},
		"trims ahead": {"TrimBehindFollower", func(b *broken, _ *sim.Engine) {
			b.trim = func(x polymath.Index) polymath.Index { x.Position += 150; return x }
		}},
		"skips what was trimmed": {"Trim", func(b *broken, _ *sim.Engine) {
			b.follow = func(err error) error {
				if errors.Is(err, journal.ErrTrimmed) {
					return errEnough
				}
				return err
			}
		}},
		"takes no entry for one": {"Sizes", func(b *broken, _ *sim.Engine) {
			b.append = func(ctx context.Context, entry []byte) error {
				if len(entry) == 0 {
					return nil
				}
				return b.Journal.Append(ctx, entry)
			}
		}},
		"is silently full": {"Full", func(b *broken, _ *sim.Engine) {
			b.append = func(ctx context.Context, entry []byte) error {
				if err := b.Journal.Append(ctx, entry); !errors.Is(err, journal.ErrFull) {
					return err
				}
				return nil
			}
		}},
		"refuses what appears": {"Stalled", func(b *broken, _ *sim.Engine) {
			b.append = func(ctx context.Context, entry []byte) error {
				if err := b.Journal.Append(ctx, entry); err != nil {
					return journal.ErrNotAppended // also where it will appear
				}
				return nil
			}
		}},
		"works when closed": {"Closed", func(b *broken, _ *sim.Engine) {
			b.append = func(ctx context.Context, entry []byte) error {
				_ = b.Journal.Append(ctx, entry)
				return nil
			}
		}},
	}
}

// TestBreaches breaks a law at a time and wants the suite to say so.
func TestBreaches(t *testing.T) {
	for name, c := range breaches() {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(laws(), func(l law) bool { return l.name == c.law })
			l, r := laws()[i], newRecorder(t)
			if !r.run(func() { l.check(r, harness(c.spoil)) }) {
				t.Errorf("%s did not notice", c.law)
			}
		})
	}
}

// e2 reports whether the journal has begun its second epoch.
func e2(b *broken) bool {
	tail, err := b.Journal.Tail(context.Background())
	return err == nil && tail.Epoch == 2
}

// harness is that of a simulated journal, whole or broken. What is to happen to
// its engine happens whenever it is opened again.
func harness(spoil func(*broken, *sim.Engine)) Harness {
	e := sim.New(sim.Options{Seed: 1})
	return Harness{
		Open: func(testing.TB) journal.Journal {
			b := &broken{Journal: e.Open()}
			if spoil != nil {
				spoil(b, e)
			}
			return b
		},
		Crash: func(testing.TB) { e.Crash() },
		Fail: func(_ testing.TB, stored bool) {
			if stored {
				e.Plan(sim.Unreported)
			} else {
				e.Plan(sim.Lost)
			}
		},
		Mark:        func(testing.TB) func() { kept := e.Len(); return func() { e.LoseTail(e.Len() - kept) } },
		Stall:       func(testing.TB) func() { e.Hold(); return e.Release },
		MaxStalled:  sim.MaxWaiting,
		Fill:        func(testing.TB) func() { e.SetFull(true); return func() { e.SetFull(false) } },
		TrimEntries: 200,
	}
}

// recorder is a test that only notes that it failed.
type recorder struct {
	testing.TB
	ctx    context.Context
	cancel func()
	failed atomic.Bool
}

func newRecorder(t *testing.T) *recorder {
	ctx, cancel := context.WithCancel(t.Context())
	return &recorder{TB: t, ctx: ctx, cancel: cancel}
}

// run runs a check to its end, ends what the check has left waiting, and reports
// whether it failed.
func (r *recorder) run(check func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		check()
	}()
	<-done
	r.cancel()
	return r.failed.Load()
}

func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Error(...any)          { r.failed.Store(true) }
func (r *recorder) Errorf(string, ...any) { r.failed.Store(true) }

func (r *recorder) Fatal(...any) {
	r.failed.Store(true)
	runtime.Goexit()
}

func (r *recorder) Fatalf(string, ...any) {
	r.failed.Store(true)
	runtime.Goexit()
}

func TestAbilities(t *testing.T) {
	for name, change := range map[string]func(*Harness){
		"silent":  func(h *Harness) { h.Crash = nil },
		"both":    func(h *Harness) { h.Without = map[string]string{"Fill": "why?"} },
		"unknown": func(h *Harness) { h.Without = map[string]string{"Novelty": "why?"} },
	} {
		h := harness(nil)
		change(&h)
		if r := newRecorder(t); !r.run(func() { testAbilities(r, h) }) {
			t.Errorf("%s passed", name)
		}
	}
	h := harness(nil)
	h.Crash, h.Without = nil, map[string]string{"Crash": "it cannot"}
	testAbilities(t, h)
}

// TestTailHistories gives porcupine histories of known worth.
func TestTailHistories(t *testing.T) {
	records := []journal.Record{{Index: polymath.Index{Epoch: 1, Position: 1}, Entry: []byte("a")},
		{Index: polymath.Index{Epoch: 1, Position: 2}, Entry: []byte("b")}}
	call := func(began, ended int64, c touch) porcupine.Operation {
		return porcupine.Operation{ClientId: int(began), Input: c, Call: began, Return: ended}
	}
	a, b := touch{entry: "a"}, touch{entry: "b"}
	tail := func(position uint64) touch { return touch{tail: true, position: position} }
	for name, c := range map[string]struct {
		history []porcupine.Operation
		legal   bool
	}{
		"one after the other":       {[]porcupine.Operation{call(0, 1, a), call(2, 3, tail(1)), call(4, 5, b), call(6, 7, tail(2))}, true},
		"during an append":          {[]porcupine.Operation{call(0, 5, a), call(1, 2, tail(0)), call(3, 4, tail(1))}, true},
		"behind":                    {[]porcupine.Operation{call(0, 1, a), call(2, 3, tail(0))}, false},
		"ahead":                     {[]porcupine.Operation{call(0, 1, tail(1)), call(2, 3, a)}, false},
		"backwards":                 {[]porcupine.Operation{call(0, 9, a), call(1, 2, tail(1)), call(3, 4, tail(0))}, false},
		"appends against the clock": {[]porcupine.Operation{call(0, 1, b), call(2, 3, a)}, false},
	} {
		r := newRecorder(t)
		if failed := r.run(func() { checkTail(r, c.history, records) }); failed == c.legal {
			t.Errorf("%s: legal is %t, and the check failed: %t", name, c.legal, failed)
		}
	}
}
