package discover

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// zone is a name server of this process, over UDP and TCP on one port.
type zone struct {
	address string

	mu      sync.Mutex // owns what follows
	records map[string][]dns.RR
	codes   map[string]int // by name and type: answered instead
	silent  map[string]bool
	most    int // records over UDP; more are cut off; 0: no bound
	extra   []dns.RR
	lie     bool // answers another question
	asked   map[string]int
}

// serve starts a zone that ends with the test.
func serve(t *testing.T, lines ...string) *zone {
	t.Helper()
	z := &zone{codes: make(map[string]int), silent: make(map[string]bool), asked: make(map[string]int)}
	z.set(t, lines...)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z.address = tcp.Addr().String()
	udp, err := net.ListenPacket("udp", z.address)
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

// set replaces the records, given in the form of a zone file.
func (z *zone) set(t *testing.T, lines ...string) {
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

// with changes how the zone answers.
func (z *zone) with(change func(z *zone)) {
	z.mu.Lock()
	change(z)
	z.mu.Unlock()
}

func (z *zone) count(what string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked[what]
}

// ServeDNS answers as a recursive name server does: with aliases followed.
func (z *zone) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	q := r.Question[0]
	name := strings.ToLower(q.Name)
	what := name + " " + dns.TypeToString[q.Qtype]
	z.asked[what]++
	z.asked[w.LocalAddr().Network()]++
	if z.silent[what] {
		return
	}
	m := new(dns.Msg)
	m.SetReply(r)
	if z.lie {
		m.Question[0].Name = "other.example."
	}
	if code, ok := z.codes[what]; ok {
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
	m.Extra = append(m.Extra, z.extra...)
	if z.most > 0 && len(m.Answer) > z.most && w.LocalAddr().Network() == "udp" {
		m.Answer, m.Truncated = m.Answer[:z.most], true
	}
	_ = w.WriteMsg(m) // a client that is gone asks no more
}
