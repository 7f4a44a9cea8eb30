package http1

import "net/http"

// Reason is why a message is Bad.
type Reason uint8

// The reasons.
const (
	Fine Reason = iota
	BadLine
	BadMethod
	BadTarget
	BadVersion
	BadStatus
	Connect
	LongLine
	LargeHead
	BareLF
	BareCR
	Control
	Folded
	SpacedName
	BadName
	NoHost
	ManyHosts
	BadHost
	OtherHost
	BadLength
	ManyLengths
	LengthAndCoding
	BadCoding
	ManyCodings
	OldCoding
	ManyOptions
	BadChunkSize
	LongChunkSize
	LongChunkLine
	BadChunkEnd
	BadTrailer
	LargeTrailer
	reasons // how many there are

	// Reasons is how many there are: each is less.
	Reasons = int(reasons)
)

// words say what is wrong, as the detail of an answer or a line of a log.
var words = [reasons]string{
	Fine:            "nothing is wrong",
	BadLine:         "the first line is not one of HTTP/1",
	BadMethod:       "the method has characters that no method has",
	BadTarget:       "the target of the request is neither a path nor a URL, or has characters that must be escaped",
	BadVersion:      "the version is neither HTTP/1.0 nor HTTP/1.1",
	BadStatus:       "the status is not three digits from 100",
	Connect:         "CONNECT asks for a tunnel, and this is no forward proxy",
	LongLine:        "the first line is longer than the limit for a head",
	LargeHead:       "the head is larger than the limit",
	BareLF:          "a line ends with LF alone, without CR",
	BareCR:          "a line has a CR in it",
	Control:         "a field has a control character, such as NUL",
	Folded:          "a field goes on in the next line (obs-fold)",
	SpacedName:      "a space stands between a field's name and its colon",
	BadName:         "a field has no colon, no name, or a name with characters that none has",
	NoHost:          "the request has no Host",
	ManyHosts:       "the request has more than one Host",
	BadHost:         "the Host is not a host with or without a port",
	OtherHost:       "the Host is not the one in the request's URL",
	BadLength:       "the Content-Length is not a plain number of at most 18 digits",
	ManyLengths:     "there is more than one Content-Length",
	LengthAndCoding: "there are both a Content-Length and a Transfer-Encoding",
	BadCoding:       "the Transfer-Encoding is not chunked",
	ManyCodings:     "there is more than one Transfer-Encoding",
	OldCoding:       "HTTP/1.0 has no Transfer-Encoding",
	ManyOptions:     "the Connection field lists too many options",
	BadChunkSize:    "a chunk's size is not a plain hexadecimal number, or what follows it is no extension",
	LongChunkSize:   "a chunk's size has too many digits",
	LongChunkLine:   "a chunk's extensions are longer than the limit",
	BadChunkEnd:     "a chunk is longer or shorter than its size says",
	BadTrailer:      "a field after the last chunk is malformed, or one that must stand before the body",
	LargeTrailer:    "the fields after the last chunk are larger than the limit",
}

// String says what is wrong, in words for who sent it.
func (r Reason) String() string {
	if r >= reasons {
		return "it is malformed"
	}
	return words[r]
}

// Status is the status to answer a request with that is Bad for this reason.
// A Bad answer of an upstream is a 502 whatever the reason.
func (r Reason) Status() int {
	switch r {
	case LongLine:
		return http.StatusRequestURITooLong
	case LargeHead, LargeTrailer:
		return http.StatusRequestHeaderFieldsTooLarge
	case BadVersion:
		return http.StatusHTTPVersionNotSupported
	case Connect:
		return http.StatusNotImplemented
	default:
		return http.StatusBadRequest
	}
}
