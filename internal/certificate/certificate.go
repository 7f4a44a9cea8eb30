// Package certificate is the proof that comes with a count of primes: what two
// unrelated methods found, in enough detail to do any of it again.
//
//	count of [from, to] ── sieve ──── parts, each a count and a checksum of its units
//	                    └─ formula ── pi(to) and pi(from-1)
//
// A certificate is a JSON file. Decode refuses one that is damaged or
// contradicts itself; whether it is true is found by doing it again, which is
// not this package's business.
package certificate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/internal/number"
)

// Format is the version of the file format. Another one is refused.
const Format = 1

// MaxBytes bounds a file; a certificate has some 8 KB.
const MaxBytes = 1 << 20

// MaxParts bounds the parts of a certificate.
const MaxParts = 64

// Certificate says how many primes there are from From to To, and why.
type Certificate struct {
	Format   int            `json:"format"`
	Function string         `json:"function"` // what was asked: primes
	From     number.Integer `json:"from"`
	To       number.Integer `json:"to"`
	Count    number.Integer `json:"count"`
	Sieve    Sieve          `json:"sieve"`
	Formula  Formula        `json:"formula"`
	// Digest is SHA-256, in hexadecimal, of the certificate in the form that
	// Encode writes, with an empty digest. It finds damage, not malice: who
	// changes a count can change the digest.
	Digest string `json:"digest"`
}

// Sieve is what was found by sieving.
type Sieve struct {
	Method  string `json:"method"`
	Version int    `json:"version"` // of the units: another one has other checksums
	Parts   []Part `json:"parts"`   // they follow one another from From to To
}

// Part is a stretch of the range.
type Part struct {
	From  number.Integer `json:"from"`
	To    number.Integer `json:"to"`
	Count number.Integer `json:"count"`
	Units number.Integer `json:"units"` // how many it was sieved in
	// Checksum is the sum over the units of Checksum(unit, count of the unit).
	Checksum number.Integer `json:"checksum"`
}

// Formula is what was found without sieving.
type Formula struct {
	Method  string  `json:"method"`
	Version int     `json:"version"`
	Points  []Point `json:"points"` // To, and From-1 unless From is 0
}

// Point says how many primes there are up to X.
type Point struct {
	X      number.Integer `json:"x"`
	Primes number.Integer `json:"primes"`
}

// Checksum is that of one unit: the first 32 bits of SHA-256 of its number and
// count in decimal, as "unit:count".
func Checksum(unit, count uint64) uint32 {
	text := strconv.AppendUint(nil, unit, 10)
	text = append(text, ':')
	text = strconv.AppendUint(text, count, 10)
	sum := sha256.Sum256(text)
	return uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
}

// Seal sets the format and the digest, and checks that the certificate does
// not contradict itself.
func (c *Certificate) Seal() error {
	c.Format = Format
	digest, err := c.digest()
	if err != nil {
		return err
	}
	c.Digest = digest
	return c.consistent()
}

// Encode writes a sealed certificate.
func (c *Certificate) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, polymath.Errorf(polymath.Internal, "write the certificate: %w", err)
	}
	return append(data, '\n'), nil
}

func (c *Certificate) digest() (string, error) {
	blank := *c
	blank.Digest = ""
	data, err := blank.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Decode reads a certificate, also from within an answer that carries one or
// from what a run prints as JSON. It refuses, as an InvalidArgument error, what
// is no certificate, one of another format, one that is damaged, one that says
// something twice or in another form than Encode does, one that contradicts
// itself, and one whose answer says something else.
func Decode(data []byte) (*Certificate, error) {
	if len(data) > MaxBytes {
		return nil, bad("it has more than %d bytes", MaxBytes)
	}
	w := unwrap(data)
	c, err := decode(w.certificate)
	if err != nil {
		return nil, err
	}
	return c, w.agrees(c)
}

// decode reads what Encode writes, whatever the blanks between.
func decode(data []byte) (*Certificate, error) {
	var head struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, bad("it is no JSON object: %v", err)
	}
	if head.Format == nil {
		return nil, bad("this is none, nor an answer that carries one: name the file of --certificate, or what a run with --verify printed as JSON")
	}
	if *head.Format != Format {
		return nil, bad("it has format %d: this version reads format %d", *head.Format, Format)
	}
	var c Certificate
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return nil, bad("%v", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad("there is something behind it")
	}
	digest, err := c.digest()
	if err != nil {
		return nil, err
	}
	if digest != c.Digest {
		return nil, bad("it was changed or damaged: its content has the digest %s, it says %.80q", digest, c.Digest)
	}
	if err := c.wrote(data); err != nil {
		return nil, err
	}
	return &c, c.consistent()
}

// wrote checks that a sealed certificate is written as data are. JSON lets a
// file say a thing twice, in capitals too, and the last one counts: a reader
// would see a count that nobody checked.
func (c *Certificate) wrote(data []byte) error {
	ours, err := c.Encode()
	if err != nil {
		return err
	}
	var want, got bytes.Buffer
	if err := errors.Join(json.Compact(&want, ours), json.Compact(&got, data)); err != nil {
		return bad("%v", err)
	}
	if !bytes.Equal(want.Bytes(), got.Bytes()) {
		return bad("it is not in the form it was written in: a field is there twice, in another order or in other words")
	}
	return nil
}

func bad(format string, args ...any) error {
	return polymath.Errorf(polymath.InvalidArgument, "the certificate is not valid: "+format, args...)
}
