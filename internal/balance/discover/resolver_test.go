package discover

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/polymath-run/polymath/internal/balance/discover/discovertest"
)

// show writes an answer in one line.
func show(a Answer) string {
	var out []string
	for _, f := range a.Found {
		out = append(out, fmt.Sprintf("%v*%d", f.Address, f.Weight))
	}
	return strings.Join(out, " ")
}

// found looks up and expects an answer that is certain.
func found(t *testing.T, r *Resolver, q Query, want string, ttl time.Duration) {
	t.Helper()
	a, err := r.Lookup(t.Context(), q)
	if err != nil || show(a) != want || a.TTL != ttl {
		t.Errorf("%s: %s for %v, %v; want %s for %v", q.Name, show(a), a.TTL, err, want, ttl)
	}
}

// TestHost finds addresses of both kinds, through aliases (G18).
func TestHost(t *testing.T) {
	z := discovertest.Serve(t,
		"app.example. 60 A 10.0.0.2", "app.example. 60 A 10.0.0.1", "app.example. 30 AAAA 2001:db8::1",
		"www.example. 5 CNAME alias.example.", "alias.example. 7 CNAME app.example.",
		"four.example. 60 A 10.0.0.4", "six.example. 60 AAAA 2001:db8::6",
		"bare.example. 60 TXT x",
	)
	r := NewResolver([]string{z.Address})
	host := Query{Port: 80, Weight: 2, Most: 10}
	for name, want := range map[string]string{
		"app.example":  "10.0.0.1:80*2 10.0.0.2:80*2 [2001:db8::1]:80*2",
		"APP.example.": "10.0.0.1:80*2 10.0.0.2:80*2 [2001:db8::1]:80*2",
		"www.example":  "10.0.0.1:80*2 10.0.0.2:80*2 [2001:db8::1]:80*2",
		"four.example": "10.0.0.4:80*2", "six.example": "[2001:db8::6]:80*2",
	} {
		host.Name = name
		ttl := map[string]time.Duration{"www.example": 5 * time.Second, "four.example": time.Minute, "six.example": time.Minute}[name]
		if ttl == 0 {
			ttl = 30 * time.Second
		}
		found(t, r, host, want, ttl)
	}
	for _, name := range []string{"nobody.example", "bare.example"} {
		host.Name = name
		if a, err := r.Lookup(t.Context(), host); err == nil || len(a.Found) > 0 {
			t.Errorf("%s: %s, %v", name, show(a), err)
		}
	}
	host.Name, host.Most = "app.example", 2
	if a, err := r.Lookup(t.Context(), host); err != nil || show(a) != "10.0.0.1:80*2 10.0.0.2:80*2" || a.Over != 1 {
		t.Errorf("at most two: %s and %d over, %v", show(a), a.Over, err)
	}
}

// TestServices takes the lowest priority, with its weights, and the addresses
// that came along or are asked for (G18).
func TestServices(t *testing.T) {
	const name = "_http._tcp.example"
	query := Query{Name: name, Record: SRV, Most: 10}
	z := discovertest.Serve(t,
		name+". 60 SRV 1 10 8080 a.example.", name+". 60 SRV 1 20 8081 b.example.", name+". 60 SRV 2 99 9090 c.example.",
		"a.example. 60 A 10.0.0.1", "b.example. 20 A 10.0.0.2", "c.example. 60 A 10.0.0.3",
	)
	r := NewResolver([]string{z.Address})
	found(t, r, query, "10.0.0.1:8080*10 10.0.0.2:8081*20", 20*time.Second)
	if n := z.Count("c.example. A"); n != 0 {
		t.Errorf("the address of a target of higher priority was asked for %d times", n)
	}

	along, err := dns.NewRR("b.example. 15 A 10.0.0.9")
	if err != nil {
		t.Fatal(err)
	}
	z.With(func(z *discovertest.Zone) { z.Extra = []dns.RR{along} })
	found(t, r, query, "10.0.0.1:8080*10 10.0.0.9:8081*20", 15*time.Second)

	z.With(func(z *discovertest.Zone) { z.Extra = nil })
	z.Set(t, name+". 60 SRV 1 0 8080 a.example.", name+". 60 SRV 1 65535 8081 b.example.", name+". 60 SRV 1 655 1 a.example.",
		"a.example. 60 A 10.0.0.1", "b.example. 60 A 10.0.0.2")
	found(t, r, query, "10.0.0.1:1*9 10.0.0.1:8080*1 10.0.0.2:8081*1000", time.Minute)

	z.Set(t, name+". 60 SRV 0 0 0 .")
	if a, err := r.Lookup(t.Context(), query); err == nil {
		t.Errorf("a service that does not exist: %s", show(a))
	}
}

// TestLastGoodAnswer: what worked once stays while nobody answers, part by part
// (D5: a failure elsewhere takes nobody's upstreams away).
func TestLastGoodAnswer(t *testing.T) {
	const name = "_http._tcp.example"
	z := discovertest.Serve(t,
		"app.example. 60 A 10.0.0.1", "app.example. 60 AAAA 2001:db8::1",
		name+". 60 SRV 1 1 80 a.example.", name+". 60 SRV 1 1 80 b.example.", "a.example. 60 A 10.0.0.1", "b.example. 60 A 10.0.0.2",
	)
	r := NewResolver([]string{z.Address})
	host := Query{Name: "app.example", Port: 80, Most: 10}
	found(t, r, host, "10.0.0.1:80*1 [2001:db8::1]:80*1", time.Minute)
	z.With(func(z *discovertest.Zone) { z.Codes["app.example. AAAA"] = dns.RcodeServerFailure })
	z.Set(t, "app.example. 60 A 10.0.0.7")
	a, err := r.Lookup(t.Context(), host)
	if err == nil || show(a) != "10.0.0.7:80*1 [2001:db8::1]:80*1" {
		t.Errorf("with half of the answers: %s, %v", show(a), err)
	}
	z.With(func(z *discovertest.Zone) { delete(z.Codes, "app.example. AAAA") })
	found(t, r, host, "10.0.0.7:80*1", time.Minute) // now it is known to be gone

	r = NewResolver([]string{z.Address})
	z.With(func(z *discovertest.Zone) { z.Codes["app.example. AAAA"] = dns.RcodeServerFailure })
	a, err = r.Lookup(t.Context(), host)
	if err == nil || show(a) != "10.0.0.7:80*1" {
		t.Errorf("with half of the answers from the start: %s, %v", show(a), err)
	}
	z.With(func(z *discovertest.Zone) { z.Codes["app.example. A"] = dns.RcodeRefused })
	a, err = r.Lookup(t.Context(), host)
	if err == nil || show(a) != "10.0.0.7:80*1" {
		t.Errorf("while nobody answers: %s, %v", show(a), err)
	}

	z.Set(t, name+". 60 SRV 1 1 80 a.example.", name+". 60 SRV 1 1 80 b.example.", "a.example. 60 A 10.0.0.1", "b.example. 60 A 10.0.0.2")
	srv := Query{Name: name, Record: SRV, Most: 10}
	found(t, r, srv, "10.0.0.1:80*1 10.0.0.2:80*1", time.Minute)
	z.With(func(z *discovertest.Zone) {
		z.Codes[name+". SRV"], z.Codes["b.example. A"] = dns.RcodeServerFailure, dns.RcodeServerFailure
	})
	a, err = r.Lookup(t.Context(), srv)
	if err == nil || show(a) != "10.0.0.1:80*1 10.0.0.2:80*1" {
		t.Errorf("while nobody answers: %s, %v", show(a), err)
	}
}

// TestServers shows whom it asks, and that neither a lie nor a cut answer is
// taken.
func TestServers(t *testing.T) {
	var lines []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("big.example. 60 A 10.0.1.%d", i))
	}
	big := Query{Name: "big.example", Port: 80, Most: 1000}
	liar, good := discovertest.Serve(t, lines...), discovertest.Serve(t, lines...)
	liar.With(func(z *discovertest.Zone) { z.Lie = true })
	good.With(func(z *discovertest.Zone) { z.Most = 10 })
	a, err := NewResolver([]string{liar.Address, good.Address}).Lookup(t.Context(), big)
	if err != nil || len(a.Found) != 200 {
		t.Errorf("found %d, %v, want 200", len(a.Found), err)
	}
	if liar.Count("big.example. A") == 0 || good.Count("tcp") == 0 || good.Count("udp") == 0 {
		t.Errorf("asked the first %d times, the second %d over UDP and %d over TCP", liar.Count("big.example. A"), good.Count("udp"), good.Count("tcp"))
	}
	if a, err := NewResolver([]string{liar.Address}).Lookup(t.Context(), big); err == nil || !strings.Contains(err.Error(), "another question") {
		t.Errorf("a lie: %s, %v", show(a), err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	good.With(func(z *discovertest.Zone) { z.Silent["big.example. A"] = true })
	cancel()
	if _, err := NewResolver([]string{good.Address}).Lookup(ctx, big); err == nil {
		t.Error("a look-up went on after its end")
	}
}

// TestSystem reads the name servers and the search list of a system.
func TestSystem(t *testing.T) {
	z := discovertest.Serve(t, "app.cluster.example. 60 A 10.0.0.1")
	host, port := netip.MustParseAddrPort(z.Address).Addr(), netip.MustParseAddrPort(z.Address).Port()
	r := NewResolver(nil)
	r.file = filepath.Join(t.TempDir(), "resolv.conf")
	q := Query{Name: "app", Port: 80, Most: 10}
	if _, err := r.Lookup(t.Context(), q); err == nil || !strings.Contains(err.Error(), "read the name servers") {
		t.Errorf("without the file: %v", err)
	}
	text := fmt.Sprintf("nameserver %v\nsearch other.example cluster.example\n", host)
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	servers, names, err := configured(r.file, "app")
	if err != nil || fmt.Sprint(servers) != "[127.0.0.1:53]" || fmt.Sprint(names) != "[app.other.example. app.cluster.example. app.]" {
		t.Errorf("read %v and %v, %v", servers, names, err)
	}
	_ = port // a file has no ports: the names are tried against the zone itself
	l := look{resolver: NewResolver(nil), servers: []string{z.Address}, asked: make(map[question]bool)}
	a, err := l.host(t.Context(), names[1], q)
	if err != nil || show(a) != "10.0.0.1:80*1" {
		t.Errorf("by the search list: %s, %v", show(a), err)
	}
}

// FuzzRead: whatever a name server sends, it is read or refused.
func FuzzRead(f *testing.F) {
	m := new(dns.Msg)
	m.SetQuestion("app.example.", dns.TypeA)
	rr, err := dns.NewRR("app.example. 60 A 10.0.0.1")
	if err != nil {
		f.Fatal(err)
	}
	m.Answer, m.Extra = []dns.RR{rr}, []dns.RR{rr}
	packed, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, text []byte) {
		m := new(dns.Msg)
		if m.Unpack(text) != nil {
			return
		}
		for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV} {
			got := read(m, "app.example.", kind)
			if got.ttl < 0 || len(got.addresses) > len(m.Answer) || len(got.services) > len(m.Answer) {
				t.Errorf("read %+v", got)
			}
			for _, a := range got.addresses {
				if !a.IsValid() || a.Is4() != (kind == dns.TypeA) {
					t.Errorf("%v is an address of type %s", a, dns.TypeToString[kind])
				}
			}
			along(m.Extra, "app.example.")
		}
	})
}
