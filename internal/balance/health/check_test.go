package health

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRiseAndFall is when checks take a member away and bring it back.
func TestRiseAndFall(t *testing.T) {
	for _, c := range []struct {
		checks string // + was answered, - was not
		want   State
	}{
		{"", Up}, {"+", Up},
		{"-", Down}, // the first decides alone
		{"-+", Down}, {"-++", Up}, {"-+-+", Down},
		{"+--", Up}, {"+---", Down}, {"+--+--", Up}, {"+---+", Down}, {"+---++", Up}, {"+---+-+", Down},
	} {
		g := newGroup(1, func(r *Rule) { r.Fall, r.Rise = 3, 2 })
		for _, check := range c.checks {
			why := ""
			if check == '-' {
				why = "refused"
			}
			g.now += DefaultInterval
			due := g.Due(g.now, 1)
			if len(due) != 1 {
				t.Fatalf("%q: %d are due", c.checks, len(due))
			}
			g.Check(due[0], g.now, why)
		}
		if got := g.all[0].State(); got != c.want {
			t.Errorf("after %q it is %v, want %v", c.checks, got, c.want)
		}
		if why := g.all[0].Why(); (why == "refused") != (c.want == Down) {
			t.Errorf("after %q it is so because of %q", c.checks, why)
		}
	}
}

// TestChecksCutEjectionsShort: after Rise checks since then there are trials at
// once, unless it was ejected for being slow.
func TestChecksCutEjectionsShort(t *testing.T) {
	g := newGroup(2, nil)
	check := func() {
		g.now += DefaultInterval
		for _, m := range g.Due(g.now, 2) {
			g.Check(m, g.now, "")
		}
	}
	for range 5 {
		check()
	}
	g.eject(t, 0)
	g.all[0].until = g.now + time.Hour
	check()
	g.wants(t, 0, Ejected)
	check()
	g.wants(t, 0, Trial)

	g = newGroup(2, nil)
	g.sentence(g.all[0], g.now, Slow)
	g.all[0].until = g.now + time.Hour
	for range 5 {
		check()
	}
	g.wants(t, 0, Ejected)
}

// TestDue: who had no traffic for longest is asked first (D4), nobody twice at
// once, nobody before its interval, and nobody who drains.
func TestDue(t *testing.T) {
	g := newGroup(4, nil)
	for i, seconds := range []int{3, 1, 2, 9} {
		g.Result(g.all[i], Sample{Now: g.now + time.Duration(seconds)*time.Second, Status: 200})
	}
	g.now += 10 * time.Second
	g.Drain(g.all[3], true, g.now)
	index := func(due []*Member) string {
		var out []int
		for _, m := range due {
			for i := range g.all {
				if g.all[i] == m {
					out = append(out, i)
				}
			}
		}
		return fmt.Sprint(out)
	}
	if got := index(g.Due(g.now, 2)); got != "[1 2]" {
		t.Errorf("first due are %s, want [1 2]", got)
	}
	if got := index(g.Due(g.now, 2)); got != "[0]" {
		t.Errorf("then due are %s, want [0]", got)
	}
	if got := g.Next(g.now, time.Minute); got != time.Minute {
		t.Errorf("with all under way the next is due in %v", got)
	}
	g.Check(g.all[1], g.now, "")
	g.Abandon(g.all[2])
	if got := index(g.Due(g.now, 2)); got != "[2]" {
		t.Errorf("given up and due again: %s, want [2]", got)
	}
	if got := g.Next(g.now, time.Minute); got != DefaultInterval {
		t.Errorf("the next is due in %v, want %v", got, DefaultInterval)
	}
	g.now += DefaultInterval
	if got := index(g.Due(g.now, 9)); got != "[1]" {
		t.Errorf("an interval later: %s, want [1]", got)
	}
	r := g.rule
	r.Interval = 0
	g.Set(r, g.now)
	if got := g.Due(g.now+time.Hour, 9); got != nil {
		t.Errorf("switched off, and %d are due", len(got))
	}
}

// TestRules holds a rule to its limits, in words that name the field.
func TestRules(t *testing.T) {
	r := Defaults()
	if err := r.Check(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	off := Rule{Rise: 1, Fall: 1, From: 200, To: 200, EjectFor: time.Second, EjectMost: time.Second, Successes: 1}
	if err := off.Check(); err != nil {
		t.Fatalf("all switched off is refused: %v", err)
	}
	for _, c := range []struct {
		edit func(r *Rule)
		want string
	}{
		{func(r *Rule) { r.Interval = time.Millisecond }, "interval"},
		{func(r *Rule) { r.Timeout = 0 }, "timeout"},
		{func(r *Rule) { r.Window = 0 }, "window"},
		{func(r *Rule) { r.Rise = 0 }, "rise"},
		{func(r *Rule) { r.Fall = -1 }, "fall"},
		{func(r *Rule) { r.To = 100 }, "last healthy status"},
		{func(r *Rule) { r.EjectMost = r.EjectFor - 1 }, "longest ejection"},
		{func(r *Rule) { r.SlowFactor = 0.5 }, "slow factor"},
		{func(r *Rule) { r.SlowStart = -1 }, "slow start"},
		{func(r *Rule) { r.Panic = 101 }, "panic"},
		{func(r *Rule) { r.Path = "x" }, "begins with /"},
		{func(r *Rule) { r.Path = "/" + strings.Repeat("x", MaxPath) }, "path"},
		{func(r *Rule) { r.Path = "/a b" }, "blanks"},
	} {
		r := Defaults()
		c.edit(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q in it", r, err, c.want)
		}
	}
}
