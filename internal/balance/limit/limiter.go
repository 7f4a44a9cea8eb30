package limit

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/forward"
)

const (
	// MaxRules is the most rules of one Limiter: each is looked at for every
	// request.
	MaxRules = 16

	// keptRefusals is how many refusals of a rule are kept ready, by the
	// seconds they tell to wait. Longer waits are written anew each time.
	keptRefusals = 64

	// clientBits is how much of an IPv6 address is a client: a network is
	// given to a customer whole, and has 2^64 addresses to come from.
	clientBits = 64

	// tenantField names the tenant of a request, and tenantDefault is whose it
	// is without.
	tenantField   = "Polymath-Tenant"
	tenantDefault = "default"
)

// By says whose requests are counted together: the clients' addresses, the
// values of a header field such as an API key, or tenants. The zero By is the
// client.
//
// A request without the header field counts for its client's address: leaving
// it out is no way around.
type By struct {
	field  string // "": the client
	tenant bool
}

// ParseBy reads "client", "tenant" or "header:NAME".
func ParseBy(text string) (By, error) {
	kind, name, named := strings.Cut(text, ":")
	switch {
	case text == "client":
		return By{}, nil
	case text == "tenant":
		return By{field: tenantField, tenant: true}, nil
	case kind == "header" && named && name != "" && !strings.ContainsAny(name, " \t\r\n,;=:\""):
		return By{field: name}, nil
	}
	return By{}, invalid("%.80q is nobody's: write client, tenant or header:NAME", text)
}

// String is the form that ParseBy reads.
func (b By) String() string {
	switch {
	case b.tenant:
		return "tenant"
	case b.field != "":
		return "header:" + b.field
	default:
		return "client"
	}
}

// key finds whose request it is.
func (b By) key(x *forward.Exchange) Key {
	if b.field != "" {
		if text := x.Facts.Header(b.field); text != "" {
			return Key{Text: text}
		}
		if b.tenant {
			return Key{Text: tenantDefault}
		}
	}
	a := x.Client.Unmap().WithZone("")
	if a.Is6() {
		if network, err := a.Prefix(clientBits); err == nil {
			a = network.Addr()
		}
	}
	return Key{Address: a}
}

// Limit is a Rule for each of By.
type Limit struct {
	Rule
	By By
}

// Limiter lets requests in, as far as several limits allow.
type Limiter struct {
	store  Store
	limits []*limit
	policy string // the field RateLimit-Policy with its CRLF
}

// limit is a Limit with what it says.
type limit struct {
	Limit
	refused  atomic.Uint64
	refusals [keptRefusals]atomic.Pointer[forward.Refusal]
}

// New makes a Limiter over a Store. The names of the rules differ.
func New(store Store, limits []Limit) (*Limiter, error) {
	if len(limits) > MaxRules {
		return nil, invalid("there are %d rate limits: at most %d may be", len(limits), MaxRules)
	}
	l := &Limiter{store: store}
	var items []string
	for i := range limits {
		one := &limit{Limit: limits[i]}
		if err := one.Check(); err != nil {
			return nil, fmt.Errorf("rate limit %d: %w", i+1, err)
		}
		for _, other := range l.limits {
			if other.Name == one.Name {
				return nil, invalid("two rate limits are called %q: give each a name of its own", one.Name)
			}
		}
		l.limits = append(l.limits, one)
		items = append(items, policyItem(&one.Rule))
	}
	if len(items) > 0 {
		l.policy = "RateLimit-Policy: " + strings.Join(items, ", ") + "\r\n"
	}
	return l, nil
}

// Begin counts a request and says whether it is let in: under all limits, in
// their order, up to the first that refuses it. What it is let in under counts
// there, also when a later limit refuses it. For a request that is let in it
// adds to x.Fields the state of the limit with the fewest requests left.
func (l *Limiter) Begin(x *forward.Exchange, now time.Duration) *forward.Refusal {
	var scarce *limit
	var least Decision
	for _, one := range l.limits {
		d := l.store.Take(&one.Rule, one.By.key(x), now)
		if !d.Allowed {
			one.refused.Add(1)
			return l.refusal(one, &d)
		}
		if scarce == nil || d.Remaining < least.Remaining {
			scarce, least = one, d
		}
	}
	if scarce != nil {
		x.Fields = append(x.Fields, l.policy...)
		x.Fields = appendState(x.Fields, &scarce.Rule, &least)
	}
	return nil
}

// refusal is the answer to who has to wait.
func (l *Limiter) refusal(one *limit, d *Decision) *forward.Refusal {
	wait := max(seconds(d.Retry), 1)
	if wait < keptRefusals {
		if r := one.refusals[wait].Load(); r != nil {
			return r
		}
	}
	state := Decision{Retry: time.Duration(wait) * time.Second}
	fields := appendState(nil, &one.Rule, &state)
	r := &forward.Refusal{
		Status: http.StatusTooManyRequests,
		Title:  http.StatusText(http.StatusTooManyRequests),
		Header: "Retry-After: " + strconv.FormatInt(wait, 10) + "\r\n" + l.policy + string(fields),
		Detail: fmt.Sprintf("the limit %q lets in %d requests in %v for each %s: try again in %d s", one.Name, one.Limit.Limit, one.Window, one.By.noun(), wait),
	}
	if wait < keptRefusals {
		one.refusals[wait].Store(r)
	}
	return r
}

// noun is what By is called in a sentence.
func (b By) noun() string {
	switch {
	case b.tenant:
		return "tenant"
	case b.field != "":
		return "value of " + b.field
	default:
		return "client address"
	}
}

// Refused is how many requests each limit has refused, in their order.
func (l *Limiter) Refused() []Refused {
	out := make([]Refused, len(l.limits))
	for i, one := range l.limits {
		out[i] = Refused{Name: one.Name, Requests: one.refused.Load()}
	}
	return out
}

// Refused is what one limit has refused.
type Refused struct {
	Name     string
	Requests uint64
}
