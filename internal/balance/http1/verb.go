package http1

// Verb is a method that is known.
type Verb uint8

// The verbs; Other is a method that is none of them.
const (
	Other Verb = iota
	GET
	HEAD
	POST
	PUT
	DELETE
	PATCH
	OPTIONS
	TRACE
	CONNECT
)

var verbs = [...]string{"", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"}

// String is the method; "" of Other.
func (v Verb) String() string { return verbs[v] }

// Safe reports whether asking changes nothing (RFC 9110, 9.2.1).
func (v Verb) Safe() bool { return v == GET || v == HEAD || v == OPTIONS || v == TRACE }

// Idempotent reports whether asking twice does what asking once does (RFC
// 9110, 9.2.2).
func (v Verb) Idempotent() bool { return v.Safe() || v == PUT || v == DELETE }

// verbOf knows methods as they are written: in capitals.
func verbOf(method []byte) Verb {
	switch string(method) {
	case "GET":
		return GET
	case "HEAD":
		return HEAD
	case "POST":
		return POST
	case "PUT":
		return PUT
	case "DELETE":
		return DELETE
	case "PATCH":
		return PATCH
	case "OPTIONS":
		return OPTIONS
	case "TRACE":
		return TRACE
	case "CONNECT":
		return CONNECT
	default:
		return Other
	}
}
