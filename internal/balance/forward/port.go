// Package forward carries HTTP exchanges between clients and upstreams.
//
//	client ──► forwarder ──► upstream        bytes and connections
//	               │ ▲
//	         Begin │ │ Pick, Retry           decisions
//	               ▼ │
//	            Director
//
// A forwarder owns connections and bytes and decides nothing; whom a request
// goes to, whether it is let in at all and whether it may be tried again is the
// Director's, which sees no byte. There are three forwarders of one behaviour:
// an event loop for plain HTTP/1.1 on Linux, a goroutine per connection for
// whatever else is HTTP/1, TLS or another system, and the standard library for
// HTTP/2.
package forward

import (
	"crypto/tls"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/polymath-run/polymath/internal/balance/pick"
)

// MaxAttempts is the most upstreams one exchange may try.
const MaxAttempts = 4

// Upstream is a server behind the balancer. It does not change; one that is
// configured anew is another Upstream.
type Upstream struct {
	Name    string         // of logs, metrics and policies, such as "http://10.0.0.1:80"
	Address netip.AddrPort // to connect to
	Host    string         // of the Host field, in place of the client's; "" keeps the client's
	TLS     *tls.Config    // nil: plain
	HTTP2   bool           // over plain TCP it is h2c with prior knowledge
	Proxy   ProxyVersion   // of the PROXY protocol's header each connection begins with
	Data    any            // the Director's
}

// ProxyVersion is a version of the PROXY protocol; zero is none.
type ProxyVersion uint8

// Director decides. Its methods are called by many forwarders at once, must not
// block, and must not keep an Exchange, nor the strings of its Facts, after they
// return.
type Director interface {
	// Begin is called once the head of a request is read. A refusal is
	// answered at once; End follows either way.
	Begin(x *Exchange) *Refusal

	// Pick chooses whom to try next and records it in x; nil when nobody is
	// left, with x.Refusal for the answer where no attempt has got one. Each
	// upstream that Pick gave gets one Done.
	Pick(x *Exchange) *Upstream

	// Done tells how an attempt ended: when its answer is complete, or as soon
	// as it has failed.
	Done(x *Exchange, u *Upstream, r Result)

	// Retry asks after a failed attempt whether one more may be made. The
	// forwarder asks only while nothing was sent to the client and the request
	// can be told again whole.
	//
	// It also asks where an attempt was answered with one of x.Doubted, with
	// Kind Answered and before Done: the answer is still there. Where Retry and
	// then Pick have another upstream, the answer is thrown away, Done follows,
	// and that upstream is asked; else the client gets the answer as it is.
	// While a hedge is under way such an answer is thrown away without a
	// question: the other attempt is the one more.
	Retry(x *Exchange, r Result) bool

	// Hedge is asked once, before the first attempt of an exchange that is Again
	// and whose request can be told again whole: after how long without the head
	// of an answer a second upstream is asked as well. 0 is never. When the time
	// is up, Pick is asked for the second; nil leaves it at the first. The first
	// head wins, and the other attempt is Done as Abandoned.
	Hedge(x *Exchange) time.Duration

	// End is called when an exchange is over, however it ended.
	End(x *Exchange)
}

// Exchange is one request and what becomes of it. A forwarder uses it again for
// the next request of a connection.
type Exchange struct {
	Facts   pick.Facts // valid during a call only
	Method  string
	Client  netip.Addr // as far as it is trusted
	Scheme  string     // "http" or "https", the client's
	Version uint8      // 10, 11 or 20
	Safe    bool       // a GET, HEAD, OPTIONS or TRACE: nothing changes by asking twice
	Again   bool       // idempotent (RFC 9110, section 9.2.2), or has an Idempotency-Key

	Begun    time.Duration // on the clock of Now
	Answered time.Duration // when the head of the answer had come; 0: not yet
	Deadline time.Duration // 0: none; set by Begin, kept by the forwarder

	// TimeoutField is the field in which upstreams are told how long is left
	// until Deadline, in place of the client's; "": they are not. Set by Begin.
	TimeoutField string

	// Doubted are the statuses, of 400 and more, with which an answer is not
	// passed on before Retry was asked; nil: none. Set by Begin, and not changed
	// while the exchange lasts.
	Doubted []int

	// Fields are further lines for the head of the upstream's final answer, each
	// with its CRLF: Begin appends to it, mostly nothing. The forwarder empties
	// it before each Begin and keeps its memory. A refusal has its own.
	Fields []byte

	Refusal *Refusal // set by Pick where it gives nil

	Status   int   // of the answer the client got; 0: none
	Received int64 // bytes of body from the client
	Sent     int64 // bytes of body to the client

	Tried    [MaxAttempts]*Upstream // those of the attempts, in order
	Attempts int

	Data any // the Director's; kept from one exchange of a connection to the next
}

// Result is how one attempt ended.
type Result struct {
	Kind    Kind
	Status  int           // of its answer; 0: none
	Latency time.Duration // from the attempt's begin to the head of the answer, or to the failure
	Now     time.Duration // on the clock of Exchange.Begun
}

// Kind sorts the ends of attempts.
type Kind uint8

// The ends of attempts.
const (
	Answered  Kind = iota // with a whole answer, whatever its status
	Unreached             // no connection came about: the request was not sent
	Broken                // the connection ended before the head of an answer
	Late                  // no head of an answer in time
	Cut                   // the answer ended in the middle
	Unusable              // what came was no HTTP
	Abandoned             // the client went away, or another attempt was faster: nobody's fault
)

// Refusal is an answer of the balancer's own. It is made once and used often,
// and does not change once it was used.
type Refusal struct {
	Status int
	Header string // whole lines, each with its CRLF: "Retry-After: 1\r\n"
	Title  string // of the problem+json body, such as "no upstream is available"
	Detail string // what to do about it

	text atomic.Value // of *refusalText, once it was used
}
