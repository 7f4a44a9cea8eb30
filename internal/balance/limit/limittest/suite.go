// Package limittest is what every limit.Store passes.
package limittest

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/polymath-run/polymath/internal/balance/limit"
)

// maxSteps bounds the requests of one generated history.
const maxSteps = 200

// Run holds a Store to its port. open makes one for at least 1,000 keys.
func Run(t *testing.T, open func(t *testing.T) limit.Store) {
	t.Run("answers as the rule does", func(t *testing.T) { agrees(t, open(t)) })
	t.Run("keys and rules are apart", func(t *testing.T) { apart(t, open(t)) })
	t.Run("calls at the same time", func(t *testing.T) { together(t, open(t)) })
	t.Run("a text may change after the call", func(t *testing.T) { borrowed(t, open(t)) })
}

// agrees compares a Store with the pure rule over histories of several keys.
// Each history has rules of its own, as nothing is ever taken out of a Store.
func agrees(t *testing.T, s limit.Store) {
	history := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		history++
		rules := []limit.Rule{
			{Name: "bucket", Limit: rapid.Int64Range(1, 20).Draw(t, "limit"), Window: time.Second + time.Duration(history), Burst: rapid.Int64Range(0, 10).Draw(t, "burst")},
			{Name: "window", Algorithm: limit.SlidingWindow, Limit: rapid.Int64Range(1, 20).Draw(t, "limit"), Window: time.Second + time.Duration(history)},
		}
		type place struct{ rule, key int }
		model := make(map[place]*limit.Memory)
		now := time.Duration(0)
		for range rapid.IntRange(1, maxSteps).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, int64(300*time.Millisecond)).Draw(t, "pause"))
			p := place{rapid.IntRange(0, 1).Draw(t, "rule"), rapid.IntRange(0, 3).Draw(t, "key")}
			m := model[p]
			if m == nil {
				m = &limit.Memory{}
				model[p] = m
			}
			rule := &rules[p.rule]
			want := rule.Take(m, now)
			if got := s.Take(rule, keys()[p.key], now); got != want {
				t.Fatalf("at %v %v of key %d: %+v, want %+v", now, rule.Algorithm, p.key, got, want)
			}
		}
	})
}

// keys are of both kinds.
func keys() []limit.Key {
	return []limit.Key{
		{Address: netip.MustParseAddr("192.0.2.1")}, {Address: netip.MustParseAddr("2001:db8::")},
		{Text: "192.0.2.1"}, {Text: "a"},
	}
}

// apart uses up one quota and looks at all others.
func apart(t *testing.T, s limit.Store) {
	base := limit.Rule{Name: "one", Limit: 3, Window: time.Minute}
	rules := []limit.Rule{base}
	for _, change := range []func(*limit.Rule){
		func(r *limit.Rule) { r.Name = "other" },
		func(r *limit.Rule) { r.Limit = 4 },
		func(r *limit.Rule) { r.Window = time.Hour },
		func(r *limit.Rule) { r.Burst = 2 },
		func(r *limit.Rule) { r.Algorithm = limit.SlidingWindow },
	} {
		r := base
		change(&r)
		rules = append(rules, r)
	}
	for i := range rules {
		for _, key := range keys() {
			if d := s.Take(&rules[i], key, 0); !d.Allowed {
				t.Errorf("the first request of %+v under %+v: %+v", key, rules[i], d)
			}
			for range rules[i].Limit { // used up
				s.Take(&rules[i], key, 0)
			}
			if s.Take(&rules[i], key, 0).Allowed {
				t.Errorf("%+v has no limit under %+v", key, rules[i])
			}
		}
	}
}

// together shows that no request is let in twice when many come at once.
func together(t *testing.T, s limit.Store) {
	const callers, calls = 8, 500
	for _, algorithm := range []limit.Algorithm{limit.TokenBucket, limit.SlidingWindow} {
		rule := limit.Rule{Name: "together", Algorithm: algorithm, Limit: 1000, Window: time.Hour}
		var allowed atomic.Int64
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				for range calls {
					if s.Take(&rule, limit.Key{Text: "k"}, time.Second).Allowed {
						allowed.Add(1)
					}
				}
			})
		}
		group.Wait()
		if got := allowed.Load(); got != rule.Limit {
			t.Errorf("%v let in %d of %d, want %d", algorithm, got, callers*calls, rule.Limit)
		}
	}
}

// borrowed shows that a Store keeps no reference to a key's text, which lies in
// a buffer that is used again.
func borrowed(t *testing.T, s limit.Store) {
	rule := limit.Rule{Name: "borrowed", Limit: 1, Window: time.Hour}
	for _, text := range []string{"aaaa", "bbbb"} {
		if !s.Take(&rule, limit.Key{Text: text}, 0).Allowed {
			t.Errorf("the first request of %s was refused", text)
		}
		if s.Take(&rule, limit.Key{Text: string([]byte(text))}, 0).Allowed {
			t.Errorf("the second request of %s was let in", text)
		}
	}
}
