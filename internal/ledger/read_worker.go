package ledger

import (
	"github.com/polymath-run/polymath"
)

// RateOne is the rate of a worker as fast as the cost table says, in the fixed
// point of Rate.Value.
const RateOne = rateOne

// maxListed bounds a page of workers: these, what they offer and what they hold.
const maxListed = 4096

// SessionInfo is what others may know of an open session.
type SessionInfo struct {
	Ref    polymath.Ref
	Node   string
	Name   string
	Local  bool
	Number uint64 // of the entry applied last
	Leases []polymath.Token
}

// Sessions lists the open sessions, oldest first.
func (l *Ledger) Sessions() []SessionInfo {
	all := make([]SessionInfo, 0, len(l.sessions))
	for _, s := range l.sessions {
		info := SessionInfo{Ref: s.ref, Node: s.node, Name: s.name, Local: s.local, Number: s.last}
		for _, ls := range s.leases {
			info.Leases = append(info.Leases, l.token(ls.ref))
		}
		all = append(all, info)
	}
	return all
}

// Remote returns what the open session of a worker in another process holds, by
// token and as it was granted; false when there is no such session.
func (l *Ledger) Remote(session polymath.Ref) (held []Grant, open bool) {
	s := l.session(session)
	if s == nil || s.name == "" || s.local {
		return nil, false
	}
	for _, ls := range s.leases {
		held = append(held, l.grantOf(ls))
	}
	return held, true
}

// Leases lists what is out, by session and then token, as it was granted.
func (l *Ledger) Leases() []Grant {
	var all []Grant
	for _, s := range l.sessions {
		for _, ls := range s.leases {
			all = append(all, l.grantOf(ls))
		}
	}
	return all
}

// WorkerInfo is a worker session: what it offers and what it holds.
type WorkerInfo struct {
	Session   polymath.Ref
	Node      string // where it is, or came in
	Name      string
	Local     bool // it lives in the node's process
	Functions []string
	Slots     uint32 // leases it can hold at a time
	Held      []Held // those it holds, oldest first
	Rates     []Rate // of the functions it has run
}

// Held is a lease as its worker's entry shows it.
type Held struct {
	Token    polymath.Token
	Job      polymath.JobID
	Function string
	Interval polymath.Interval
}

// Rate is how fast a worker runs a function: Value/RateOne times as fast as
// the function's cost table says.
type Rate struct {
	Function string
	Value    uint64
}

// Workers lists worker sessions that opened after the one named, oldest first;
// the zero Ref begins with the first. more says that others follow: a page is
// bounded by what its workers offer and hold.
func (l *Ledger) Workers(after polymath.Ref) (page []WorkerInfo, more bool) {
	i, found := l.find(after)
	if found {
		i++
	}
	for listed := 0; i < len(l.sessions); i++ {
		s := l.sessions[i]
		if listed++; s.name == "" {
			continue
		}
		listed += len(s.functions) + len(s.leases) + len(s.rates)
		if listed > maxListed && len(page) > 0 {
			return page, true
		}
		page = append(page, l.worker(s))
	}
	return page, false
}

func (l *Ledger) worker(s *session) WorkerInfo {
	w := WorkerInfo{Session: s.ref, Node: s.node, Name: s.name, Local: s.local, Slots: s.slots}
	for _, n := range s.functions {
		w.Functions = append(w.Functions, l.functions[n].name)
	}
	for _, ls := range s.leases {
		w.Held = append(w.Held, Held{
			Token: l.token(ls.ref), Job: l.jobID(ls.job.ref), Function: l.functions[ls.job.function].name, Interval: ls.interval,
		})
	}
	for _, r := range s.rates {
		w.Rates = append(w.Rates, Rate{l.functions[r.function].name, r.value})
	}
	return w
}
