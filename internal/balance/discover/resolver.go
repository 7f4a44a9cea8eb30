package discover

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// ResolvConf is where a system names its name servers.
const ResolvConf = "/etc/resolv.conf"

// maxTargets is how many targets of SRV records are looked up.
const maxTargets = 1024

// Resolver looks names up and remembers the last good answer to each question.
// It has one owner.
type Resolver struct {
	servers []string // none: those of the file
	file    string
	good    map[question]records
}

type question struct {
	name string
	kind uint16
}

// records are what an answer says about a question.
type records struct {
	addresses []netip.Addr
	services  []*dns.SRV
	extra     []dns.RR // addresses that came along
	ttl       time.Duration
}

// NewResolver makes a Resolver over name servers, host:port; none: those of the
// system, which are read anew for each look-up.
func NewResolver(servers []string) *Resolver {
	return &Resolver{servers: servers, file: ResolvConf, good: make(map[question]records)}
}

// Lookup answers a query. The error says why there is nothing; where only a
// part of it could not be found out, that part is as it was before, and the
// error comes with the answer.
func (r *Resolver) Lookup(ctx context.Context, q Query) (Answer, error) {
	servers, names := r.servers[:min(len(r.servers), maxServers)], []string{dns.Fqdn(q.Name)}
	if len(servers) == 0 {
		var err error
		if servers, names, err = configured(r.file, q.Name); err != nil {
			return Answer{}, err
		}
	}
	var answer Answer
	var err error
	for _, name := range names {
		l := look{resolver: r, servers: servers, asked: make(map[question]bool)}
		if q.Record == SRV {
			answer, err = l.services(ctx, name)
		} else {
			answer, err = l.host(ctx, name, q)
		}
		if len(answer.Found) > 0 {
			r.forget(l.asked)
			answer.trim(q.Most)
			return answer, err
		}
		if _, nothing := errors.AsType[*empty](err); !nothing {
			break
		}
	}
	if err == nil {
		err = fmt.Errorf("%s has no addresses", q.Name)
	}
	return Answer{}, err
}

// forget drops the answers to questions that are not asked any more.
func (r *Resolver) forget(asked map[question]bool) {
	for q := range r.good {
		if !asked[q] {
			delete(r.good, q)
		}
	}
}

// look is one look-up.
type look struct {
	resolver *Resolver
	servers  []string
	asked    map[question]bool
}

// host finds the addresses of a name.
func (l *look) host(ctx context.Context, name string, q Query) (Answer, error) {
	addresses, ttl, err := l.addresses(ctx, name)
	a := Answer{TTL: ttl}
	for _, address := range addresses {
		a.Found = append(a.Found, Found{Address: netip.AddrPortFrom(address, q.Port), Weight: max(q.Weight, 1), Target: strings.TrimSuffix(name, ".")})
	}
	return a, err
}

// services finds the targets of the SRV records with the lowest priority, and
// their addresses. The others are for when these do not answer, which only
// health knows: they are left out.
func (l *look) services(ctx context.Context, name string) (Answer, error) {
	srv, err := l.ask(ctx, name, dns.TypeSRV)
	if len(srv.services) == 0 {
		return Answer{}, err
	}
	failures := []error{err}
	first := slices.MinFunc(srv.services, func(a, b *dns.SRV) int { return int(a.Priority) - int(b.Priority) }).Priority
	a := Answer{TTL: srv.ttl}
	for _, s := range srv.services[:min(len(srv.services), maxTargets)] {
		if s.Priority != first || s.Target == "." || s.Port == 0 {
			continue // a dot says that there is no such service
		}
		addresses, ttl := along(srv.extra, s.Target)
		if len(addresses) == 0 {
			if addresses, ttl, err = l.addresses(ctx, s.Target); err != nil {
				failures = append(failures, err)
			}
		}
		for _, address := range addresses {
			a.TTL = min(a.TTL, ttl)
			a.Found = append(a.Found, Found{
				Address: netip.AddrPortFrom(address, s.Port), Weight: int(s.Weight), Target: strings.TrimSuffix(s.Target, "."),
			})
		}
	}
	scale(a.Found)
	return a, errors.Join(failures...)
}

// addresses finds those of a name, of both kinds. An error with addresses says
// that one kind is as it was before.
func (l *look) addresses(ctx context.Context, name string) ([]netip.Addr, time.Duration, error) {
	four, err4 := l.ask(ctx, name, dns.TypeA)
	six, err6 := l.ask(ctx, name, dns.TypeAAAA)
	all := slices.Concat(four.addresses, six.addresses)
	if len(all) == 0 {
		return nil, 0, errors.Join(err4, err6)
	}
	ttl := four.ttl
	if len(four.addresses) == 0 || len(six.addresses) > 0 && six.ttl < ttl {
		ttl = six.ttl
	}
	return all, ttl, errors.Join(serious(err4), serious(err6))
}

// serious leaves out that there is nothing of one kind.
func serious(err error) error {
	if _, nothing := errors.AsType[*empty](err); nothing {
		return nil
	}
	return err
}

// ask asks one question. Where nobody answers, it is the last good answer with
// the error.
func (l *look) ask(ctx context.Context, name string, kind uint16) (records, error) {
	q := question{strings.ToLower(name), kind}
	l.asked[q] = true
	m, err := exchange(ctx, l.servers, name, kind)
	if err != nil {
		if _, nothing := errors.AsType[*empty](err); nothing {
			delete(l.resolver.good, q)
			return records{}, err
		}
		return l.resolver.good[q], err
	}
	got := read(m, name, kind)
	if len(got.addresses)+len(got.services) == 0 {
		delete(l.resolver.good, q)
		return records{}, &empty{name: name, kind: kind}
	}
	l.resolver.good[q] = got
	return got, nil
}

// read takes the records about a name out of an answer.
func read(m *dns.Msg, name string, kind uint16) records {
	var out records
	of := owners(m.Answer, name)
	live := uint32(1<<31 - 1) // RFC 2181, section 8
	for _, rr := range m.Answer {
		h := rr.Header()
		if !of[strings.ToLower(h.Name)] {
			continue // nobody asked
		}
		live = min(live, h.Ttl)
		switch rr := rr.(type) {
		case *dns.SRV:
			if kind == dns.TypeSRV {
				out.services = append(out.services, rr)
			}
		default:
			if a, ok := address(rr); ok && h.Rrtype == kind {
				out.addresses = append(out.addresses, a)
			}
		}
	}
	out.extra = m.Extra
	out.ttl = time.Duration(live) * time.Second
	return out
}

// along finds the addresses of a target that came with the SRV records.
func along(extra []dns.RR, target string) ([]netip.Addr, time.Duration) {
	var out []netip.Addr
	live := uint32(1<<31 - 1)
	for _, rr := range extra {
		if a, ok := address(rr); ok && strings.EqualFold(rr.Header().Name, target) {
			out = append(out, a)
			live = min(live, rr.Header().Ttl)
		}
	}
	return out, time.Duration(live) * time.Second
}

// address is that of an A or AAAA record.
func address(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		a, ok := netip.AddrFromSlice(rr.A)
		return a.Unmap(), ok
	case *dns.AAAA:
		a, ok := netip.AddrFromSlice(rr.AAAA)
		return a, ok && !a.Is4In6()
	default:
		return netip.Addr{}, false
	}
}
