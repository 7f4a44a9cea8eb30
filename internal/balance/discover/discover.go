// Package discover finds upstreams in the DNS: by the addresses of a name, or
// by SRV records (RFC 2782), and goes on looking as long as the answers live.
//
//	Watcher ── each time to live ──▶ Resolver ──▶ name servers
//	   │                                │
//	   │  another answer than before    │ last good answer of each question,
//	   ▼                                │ for when nobody answers
//	told to the owner ◀─────────────────┘
//
// A name server that is away, wrong or empty takes nobody's upstreams away: the
// last good answer stays. Who does not exist any more is found out by health
// checks, not by the DNS.
package discover

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Record is the kind of record that is looked up.
type Record uint8

// The kinds of records.
const (
	Host Record = iota // A and AAAA
	SRV                // with the addresses of their targets
)

// Query is what is looked for.
type Query struct {
	Name   string
	Record Record
	Port   uint16 // of those found by Host
	Weight int    // of those found by Host
	Most   int    // that are taken, at least 1
}

// Found is one upstream.
type Found struct {
	Address netip.AddrPort
	Weight  int    // from 1 to MaxWeight
	Target  string // the name the address is of, without the last dot
}

// MaxWeight is the largest weight of a Found. Weights of SRV records, up to
// 65,535, are scaled down to it where one of them is larger.
const MaxWeight = 1000

// Answer is what was found.
type Answer struct {
	Found []Found       // by address, each once
	TTL   time.Duration // how long it is good for
	Over  int           // how many more there were than may be taken
}

// trim sorts an answer and holds it to a number.
func (a *Answer) trim(most int) {
	slices.SortFunc(a.Found, func(x, y Found) int { return cmp.Or(x.Address.Compare(y.Address), cmp.Compare(y.Weight, x.Weight)) })
	a.Found = slices.CompactFunc(a.Found, func(x, y Found) bool { return x.Address == y.Address })
	if a.Over = max(len(a.Found)-most, 0); a.Over > 0 {
		a.Found = a.Found[:most]
	}
}

// scale makes weights fit. Those of 0, which RFC 2782 gives a very small chance,
// become 1.
func scale(found []Found) {
	heaviest := 0
	for i := range found {
		heaviest = max(heaviest, found[i].Weight)
	}
	for i := range found {
		if heaviest > MaxWeight {
			found[i].Weight = found[i].Weight * MaxWeight / heaviest
		}
		found[i].Weight = max(found[i].Weight, 1)
	}
}
