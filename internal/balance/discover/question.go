package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/polymath-run/polymath"
)

// Bounds of a look-up.
const (
	// askLimit is how long one name server may take for one question.
	askLimit = 2 * time.Second
	// rounds is how often all name servers are asked before it is given up.
	rounds = 2
	// maxServers is how many name servers are asked.
	maxServers = 8
	// payload is the most bytes of an answer over UDP: what passes every
	// network without fragments (DNS flag day 2020).
	payload = 1232
	// maxChain is how many aliases are followed within an answer.
	maxChain = 8
	// maxRecords bounds what is read of an answer; TCP could carry thousands.
	maxRecords = 4096
)

// empty says that a name server answered, and that there is nothing.
type empty struct {
	name string
	kind uint16
	code int
}

// Error says which of the two it is.
func (e *empty) Error() string {
	if e.code == dns.RcodeNameError {
		return fmt.Sprintf("there is no name %s", e.name)
	}
	return fmt.Sprintf("%s has no records of type %s", e.name, dns.TypeToString[e.kind])
}

// exchange asks name servers, in their order, until one answers. An answer that
// there is nothing is one: it is not asked on.
func exchange(ctx context.Context, servers []string, name string, kind uint16) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetQuestion(name, kind)
	m.SetEdns0(payload, false)
	err := polymath.Errorf(polymath.Unavailable, "there is no name server to ask")
	for range rounds {
		for _, server := range servers {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			var answer *dns.Msg
			if answer, err = ask(ctx, server, m); err == nil {
				return answer, nil
			}
			if _, nothing := errors.AsType[*empty](err); nothing {
				return nil, err
			}
		}
	}
	return nil, err
}

// ask asks one name server, over TCP what did not fit into a datagram.
func ask(ctx context.Context, server string, m *dns.Msg) (*dns.Msg, error) {
	var answer *dns.Msg
	for _, network := range [...]string{"udp", "tcp"} {
		limited, cancel := context.WithTimeout(ctx, askLimit)
		m.Id = dns.Id()
		client := dns.Client{Net: network, UDPSize: payload, Timeout: askLimit}
		var err error
		answer, _, err = client.ExchangeContext(limited, m, server)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("name server %s: %w", server, err)
		}
		if !answer.Truncated {
			break
		}
	}
	q := m.Question[0]
	switch {
	case answer.Truncated:
		return nil, fmt.Errorf("name server %s: the answer is cut off over TCP, too", server)
	case !answers(answer, q):
		return nil, fmt.Errorf("name server %s answered another question", server)
	case answer.Rcode == dns.RcodeNameError:
		return nil, &empty{name: q.Name, kind: q.Qtype, code: answer.Rcode}
	case answer.Rcode != dns.RcodeSuccess:
		return nil, fmt.Errorf("name server %s: %s for %s", server, dns.RcodeToString[answer.Rcode], q.Name)
	case len(answer.Answer)+len(answer.Extra) > maxRecords:
		return nil, fmt.Errorf("name server %s answered with %d records, more than %d", server, len(answer.Answer)+len(answer.Extra), maxRecords)
	}
	return answer, nil
}

// answers reports whether an answer is to a question.
func answers(m *dns.Msg, q dns.Question) bool {
	return m.Response && len(m.Question) == 1 && m.Question[0].Qtype == q.Qtype && strings.EqualFold(m.Question[0].Name, q.Name)
}

// owners are the name and those it is an alias for, in an answer.
func owners(records []dns.RR, name string) map[string]bool {
	out := map[string]bool{strings.ToLower(name): true}
	for range maxChain {
		grown := false
		for _, rr := range records {
			if alias, ok := rr.(*dns.CNAME); ok && out[strings.ToLower(alias.Hdr.Name)] && !out[strings.ToLower(alias.Target)] {
				out[strings.ToLower(alias.Target)], grown = true, true
			}
		}
		if !grown {
			break
		}
	}
	return out
}

// configured are the name servers of a resolv.conf, and the names to try for one
// that is not whole.
func configured(path, name string) (servers, names []string, err error) {
	c, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the name servers: %w", err)
	}
	for _, server := range c.Servers[:min(len(c.Servers), maxServers)] {
		servers = append(servers, net.JoinHostPort(server, c.Port))
	}
	return servers, c.NameList(name), nil
}
