package health

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// group is a fleet and its members.
type group struct {
	*Fleet

	all []*Member
	now time.Duration
}

func newGroup(n int, edit func(r *Rule)) *group {
	r := Defaults()
	r.SlowStart = 0
	if edit != nil {
		edit(&r)
	}
	g := &group{Fleet: NewFleet(r), now: time.Hour}
	for range n {
		m := &Member{}
		g.Add(m, g.now)
		g.all = append(g.all, m)
	}
	return g
}

func (g *group) good(i int) { g.Result(g.all[i], Sample{Now: g.now, Status: 200}) }
func (g *group) bad(i int)  { g.Result(g.all[i], Sample{Now: g.now, Failed: true}) }

// try makes a trial of a member that is ready for one.
func (g *group) try(t *testing.T, i int, s Sample) {
	t.Helper()
	m := g.all[i]
	if !m.Ready() {
		t.Fatalf("member %d, %v, is not ready for a trial", i, m.State())
	}
	m.Try()
	if m.Ready() {
		t.Fatalf("member %d is ready for two trials at once", i)
	}
	s.Now, s.Trial = g.now, true
	g.Result(m, s)
}

func (g *group) wants(t *testing.T, i int, want State) {
	t.Helper()
	if got := g.all[i].State(); got != want {
		t.Fatalf("member %d is %v, want %v", i, got, want)
	}
}

// TestPassive is when answers eject: several in a window and not one (D5), or in
// a row, and never what is nobody's fault.
func TestPassive(t *testing.T) {
	const rare = 1000 // far from any other bound
	for _, c := range []struct {
		name string
		edit func(r *Rule)
		do   func(g *group)
		want State
	}{
		{"one failure", nil, func(g *group) { g.bad(0) }, Up},
		{"in a row", nil, func(g *group) {
			for range DefaultServerErrors {
				g.bad(0)
			}
		}, Ejected},
		{"statuses in a row", nil, func(g *group) {
			for range DefaultServerErrors {
				g.Result(g.all[0], Sample{Now: g.now, Status: 500})
			}
		}, Ejected},
		{"row broken", nil, func(g *group) {
			for range DefaultServerErrors - 1 {
				g.bad(0)
			}
			g.good(0)
			g.bad(0)
		}, Up},
		{"nobody's fault", nil, func(g *group) {
			for range rare {
				g.Result(g.all[0], Sample{Now: g.now, Failed: true, Void: true})
			}
		}, Up},
		{"half of many", nil, func(g *group) {
			for range DefaultErrors {
				g.good(0)
				g.bad(0)
			}
		}, Ejected},
		{"a third of many", nil, func(g *group) {
			for range rare {
				g.good(0)
				g.good(0)
				g.bad(0)
			}
		}, Up},
		{"half of few", nil, func(g *group) {
			for range DefaultErrors - 1 {
				g.good(0)
				g.bad(0)
			}
		}, Up},
		{"slowly", nil, func(g *group) {
			for range rare {
				g.now += 2 * time.Second
				g.good(0)
				g.bad(0)
			}
		}, Up},
		{"switched off", func(r *Rule) { r.ServerErrors, r.Errors = 0, 0 }, func(g *group) {
			for range rare {
				g.bad(0)
			}
		}, Up},
		{"over the share", func(r *Rule) { r.Ejected = 49 }, func(g *group) {
			for range rare {
				g.bad(0)
			}
		}, Up},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGroup(2, c.edit)
			c.do(g)
			g.wants(t, 0, c.want)
			g.wants(t, 1, Up)
		})
	}
}

// eject makes a member fail until it is out.
func (g *group) eject(t *testing.T, i int) {
	t.Helper()
	for range DefaultServerErrors {
		g.bad(i)
	}
	g.wants(t, i, Ejected)
}

// TestEjectionsEndInTrials: each is twice as long as the one before, up to the
// longest, and ends with trials; after a good time it is as the first again.
func TestEjectionsEndInTrials(t *testing.T) {
	g := newGroup(2, func(r *Rule) { r.EjectFor, r.EjectMost = 10*time.Second, 35*time.Second })
	g.eject(t, 0)
	for _, length := range []int{10, 20, 35, 35} {
		g.now += time.Duration(length)*time.Second - 1
		g.Tick(g.now)
		g.wants(t, 0, Ejected)
		if got := g.all[0].Back(g.now); got != 1 {
			t.Errorf("it comes back in %v, want 1ns", got)
		}
		g.now++
		if !g.Tick(g.now) {
			t.Error("the end of an ejection is no change")
		}
		g.wants(t, 0, Trial)
		g.try(t, 0, Sample{Status: 200})
		g.try(t, 0, Sample{Void: true})
		g.try(t, 0, Sample{Status: 503, Failed: true})
		g.wants(t, 0, Ejected)
	}
	g.now += 35 * time.Second
	g.Tick(g.now)
	for range DefaultSuccesses {
		g.good(0) // asked before: says nothing
		g.wants(t, 0, Trial)
		g.try(t, 0, Sample{Status: 200})
	}
	g.wants(t, 0, Up)
	g.now += forgiven*10*time.Second + 1
	g.eject(t, 0)
	if got := g.all[0].Back(g.now); got != 10*time.Second {
		t.Errorf("after a good time it is ejected for %v, want 10s", got)
	}
	if got := g.all[0].Ejections(); got != 6 {
		t.Errorf("%d ejections, want 6", got)
	}
	if got := g.all[0].Why(); got != ServerErrors.String() || got == "" {
		t.Errorf("it is ejected because of %q", got)
	}
}

// TestShareHolds: whatever happens to whomever, never more than the share is
// ejected, also when members leave (the law of the package).
func TestShareHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.IntRange(0, 100).Draw(t, "share")
		g := newGroup(rapid.IntRange(1, 10).Draw(t, "members"), func(r *Rule) {
			r.Ejected, r.ServerErrors, r.EjectFor = share, 2, time.Second
		})
		some := func(t *rapid.T) (*Member, bool) {
			if len(g.all) == 0 {
				return nil, false
			}
			return g.all[rapid.IntRange(0, len(g.all)-1).Draw(t, "member")], true
		}
		t.Repeat(map[string]func(*rapid.T){
			"fail": func(t *rapid.T) {
				if m, ok := some(t); ok {
					for range 2 {
						g.Result(m, Sample{Now: g.now, Failed: true})
					}
				}
			},
			"try": func(t *rapid.T) {
				if m, ok := some(t); ok && m.Ready() {
					m.Try()
					g.Result(m, Sample{Now: g.now, Trial: true, Failed: rapid.Bool().Draw(t, "failed")})
				}
			},
			"check": func(t *rapid.T) {
				for _, m := range g.Due(g.now, 3) {
					g.Check(m, g.now, rapid.SampledFrom([]string{"", "", "refused"}).Draw(t, "why"))
				}
			},
			"leave": func(t *rapid.T) {
				if m, ok := some(t); ok {
					g.Remove(m, g.now)
					for i := range g.all {
						if g.all[i] == m {
							g.all = append(g.all[:i], g.all[i+1:]...)
							break
						}
					}
				}
			},
			"come": func(*rapid.T) {
				m := &Member{}
				g.Add(m, g.now)
				g.all = append(g.all, m)
			},
			"drain": func(t *rapid.T) {
				if m, ok := some(t); ok {
					g.Drain(m, rapid.Bool().Draw(t, "drains"), g.now)
				}
			},
			"rule": func(t *rapid.T) {
				r := g.rule
				r.Ejected = rapid.IntRange(0, 100).Draw(t, "share")
				share = r.Ejected
				g.Set(r, g.now)
			},
			"wait": func(t *rapid.T) {
				g.now += time.Duration(rapid.Int64Range(0, 3e9).Draw(t, "wait"))
				g.Tick(g.now)
			},
			"": func(t *rapid.T) {
				out, serving, usable := 0, 0, 0
				for _, m := range g.all {
					switch m.State() {
					case Draining:
						continue
					case Ejected, Trial:
						out++
					case Down:
						if m.place != Up {
							out++
						}
					default:
						usable++
					}
					serving++
				}
				if out*100 > share*serving {
					t.Fatalf("%d of %d are ejected, at most %d %% may be", out, serving, share)
				}
				if usable != g.Usable() || g.Panicking() != (usable*100 < serving*g.rule.Panic) {
					t.Fatalf("%d of %d are usable; it counts %d, panic %v", usable, serving, g.Usable(), g.Panicking())
				}
			},
		})
	})
}

// TestWhoAnswersComesBack: whatever had happened, one that answers everything is
// up within the longest ejection and as many trials as it takes (D4, D5).
func TestWhoAnswersComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup(4, func(r *Rule) {
			r.Ejected, r.ServerErrors, r.EjectMost, r.SlowFactor = 100, 2, time.Minute, 0
		})
		for range rapid.IntRange(0, 50).Draw(t, "events") {
			m := g.all[rapid.IntRange(0, 3).Draw(t, "member")]
			bad := rapid.Bool().Draw(t, "bad")
			if m.Ready() {
				m.Try()
				g.Result(m, Sample{Now: g.now, Trial: true, Failed: bad})
			} else {
				g.Result(m, Sample{Now: g.now, Failed: bad})
			}
			for _, m := range g.Due(g.now, 2) {
				g.Check(m, g.now, rapid.SampledFrom([]string{"", "refused"}).Draw(t, "why"))
			}
			g.now += time.Duration(rapid.Int64Range(0, 2e10).Draw(t, "wait"))
			g.Tick(g.now)
		}
		bound := time.Minute + time.Duration(DefaultRise+1)*DefaultInterval
		for since := g.now; g.now-since <= bound; g.now += time.Second {
			g.Tick(g.now)
			for _, m := range g.all {
				for range DefaultSuccesses {
					if m.Ready() {
						m.Try()
						g.Result(m, Sample{Now: g.now, Trial: true, Status: 200})
					}
				}
			}
			for _, m := range g.Due(g.now, 4) {
				g.Check(m, g.now, "")
			}
		}
		for i, m := range g.all {
			if m.State() != Up {
				t.Fatalf("member %d is %v (%s) %v after it answers everything", i, m.State(), m.Why(), bound)
			}
		}
	})
}

// TestSlow: whose median latency is far above the others' is ejected, the
// slowest first, and nobody where all are as slow.
func TestSlow(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name      string
		latencies []time.Duration
		want      string // ejected members
	}{
		{"one of three", []time.Duration{5 * ms, 500 * ms, 6 * ms}, "[1]"},
		{"one of two", []time.Duration{5 * ms, 500 * ms}, "[1]"},
		{"alone", []time.Duration{500 * ms}, "[]"},
		{"all alike", []time.Duration{500 * ms, 510 * ms, 490 * ms}, "[]"},
		{"many times, but fast", []time.Duration{ms, 40 * ms, ms}, "[]"},
		{"much, but not many times", []time.Duration{100 * ms, 800 * ms, 100 * ms}, "[]"},
		{"half of four", []time.Duration{ms, 900 * ms, ms, 800 * ms}, "[1 3]"},
		{"the slowest, as far as the share goes", []time.Duration{ms, 200 * ms, ms, 900 * ms, 100 * ms, ms, ms}, "[1 3 4]"},
		{"one without traffic", []time.Duration{ms, 0, ms}, "[]"},
	} {
		g := newGroup(len(c.latencies), nil)
		for i, d := range c.latencies {
			for range SlowSamples {
				if d > 0 {
					g.Result(g.all[i], Sample{Now: g.now, Status: 200, Latency: d})
				}
			}
		}
		g.Tick(g.now)
		got := []int{}
		for i, m := range g.all {
			if m.State() == Ejected {
				got = append(got, i)
			}
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v are ejected, want %s", c.name, got, c.want)
		}
	}
}

// TestSlowOnce: who was slow, and is not any more, is not ejected for it again.
func TestSlowOnce(t *testing.T) {
	g := newGroup(2, func(r *Rule) { r.EjectFor = time.Second })
	g.Tick(g.now)
	g.now += SlowEvery
	for range SlowSamples {
		g.good(0)
		g.Result(g.all[1], Sample{Now: g.now, Status: 200, Latency: time.Second})
	}
	g.Tick(g.now)
	g.wants(t, 1, Ejected)
	g.now += time.Second
	g.Tick(g.now)
	for range DefaultSuccesses {
		g.try(t, 1, Sample{Status: 200})
	}
	for range SlowSamples {
		g.good(0)
	}
	g.good(1) // one answer, and as many of before as it takes
	g.now += SlowEvery - time.Second
	g.Tick(g.now)
	g.wants(t, 1, Up)
	if got := g.all[1].Quantile(g.now, 1); got > time.Millisecond {
		t.Errorf("its latencies of before are still counted: %v", got)
	}
}

// TestPanic: where few are usable health is not asked, but draining is.
func TestPanic(t *testing.T) {
	g := newGroup(4, func(r *Rule) { r.Panic = 50 })
	for i := range 3 {
		if g.Panicking() {
			t.Fatalf("panic with %d of 4 down", i)
		}
		for range DefaultFall {
			g.Check(g.all[i], g.now, "refused")
		}
	}
	if !g.Panicking() {
		t.Error("no panic with 3 of 4 down")
	}
	g.Drain(g.all[0], true, g.now)
	g.Drain(g.all[1], true, g.now)
	if g.Panicking() {
		t.Error("panic with 1 of 2 down, the others drain")
	}
}

// TestFactor: from a tenth to all of the weight, in even steps.
func TestFactor(t *testing.T) {
	g := newGroup(1, func(r *Rule) { r.SlowStart = 10 * time.Second })
	m := g.all[0]
	for second := range 10 {
		g.Tick(g.now)
		if got := g.Factor(m, g.now); got != second+1 || m.State() != Warming {
			t.Errorf("after %d s: %d tenths, %v", second, got, m.State())
		}
		g.now += time.Second
	}
	g.Tick(g.now)
	if got := g.Factor(m, g.now); got != Tenths || m.State() != Up {
		t.Errorf("after 10 s: %d tenths, %v", got, m.State())
	}
	g.Add(&Member{}, g.now)
	g.Warm()
	if got := g.members[1].State(); got != Up {
		t.Errorf("warmed it is %v", got)
	}
}
