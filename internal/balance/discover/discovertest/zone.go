// Package discovertest has a name server for the tests of whoever asks one.
package discovertest

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Zone is a name server of this process, over UDP and TCP on one port. Its fields
// but Address are changed in With alone.
type Zone struct {
	Address string // HOST:PORT

	Codes  map[string]int  // answered instead, by name and type: "a.example. SRV"
	Silent map[string]bool // not answered, by name and type
	Most   int             // records over UDP; more are cut off; 0: no bound
	Extra  []dns.RR        // come along with every answer
	Lie    bool            // answers another question

	mu      sync.Mutex // owns all but the address
	records map[string][]dns.RR
	asked   map[string]int
}

// Serve starts a zone that ends with the test. Its records are given in the form
// of a zone file, one a line.
func Serve(t *testing.T, lines ...string) *Zone {
	t.Helper()
	z := &Zone{Codes: make(map[string]int), Silent: make(map[string]bool), asked: make(map[string]int)}
	z.Set(t, lines...)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z.Address = tcp.Addr().String()
	udp, err := net.ListenPacket("udp", z.Address)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: tcp, Handler: z}, {PacketConn: udp, Handler: z}} {
		started, done := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() {
			defer close(done)
			if err := s.ActivateAndServe(); err != nil {
				t.Error(err)
			}
		}()
		<-started
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
			<-done
		})
	}
	return z
}

// Set replaces the records.
func (z *Zone) Set(t *testing.T, lines ...string) {
	t.Helper()
	records := make(map[string][]dns.RR)
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ToLower(rr.Header().Name)
		records[name] = append(records[name], rr)
	}
	z.mu.Lock()
	z.records = records
	z.mu.Unlock()
}

// With changes how the zone answers.
func (z *Zone) With(change func(z *Zone)) {
	z.mu.Lock()
	change(z)
	z.mu.Unlock()
}

// Count is how often something was asked for, by name and type, or over "udp" or
// "tcp".
func (z *Zone) Count(what string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[what]
}

// ServeDNS answers as a recursive name server does: with aliases followed.
func (z *Zone) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	q := r.Question[0]
	name := strings.ToLower(q.Name)
	what := name + " " + dns.TypeToString[q.Qtype]
	z.asked[what]++
	z.asked[w.LocalAddr().Network()]++
	if z.Silent[what] {
		return
	}
	m := new(dns.Msg)
	m.SetReply(r)
	if z.Lie {
		m.Question[0].Name = "other.example."
	}
	if code, ok := z.Codes[what]; ok {
		m.Rcode = code
	} else if _, known := z.records[name]; !known {
		m.Rcode = dns.RcodeNameError
	}
	for range 10 {
		next := ""
		for _, rr := range z.records[name] {
			if alias, ok := rr.(*dns.CNAME); ok {
				next = strings.ToLower(alias.Target)
				m.Answer = append(m.Answer, rr)
			} else if rr.Header().Rrtype == q.Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		name = next
	}
	m.Extra = append(m.Extra, z.Extra...)
	if z.Most > 0 && len(m.Answer) > z.Most && w.LocalAddr().Network() == "udp" {
		m.Answer, m.Truncated = m.Answer[:z.Most], true
	}
	_ = w.WriteMsg(m) // a client that is gone asks no more
}
