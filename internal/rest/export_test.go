package rest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/polymath-run/polymath/api"
)

// NewBounded is New with other bounds.
func NewBounded(b Backend, waiting, streams int64) http.Handler {
	return New(b, Options{maxWaiting: waiting, maxStreams: streams})
}

// Document is the documentation of a face.
func Document(h http.Handler) *huma.OpenAPI { return h.(*face).api.OpenAPI() }

// Decode is decode with the documentation of a face.
func Decode(h http.Handler, data []byte, v any) error {
	return decode(Document(h).Components.Schemas, data, "", v)
}

// Sample is what the page shows of a schema.
func Sample(h http.Handler, s *huma.Schema) any { return example(Document(h).Components.Schemas, s) }

// ResultPage is the page of a list.
func ResultPage(answer json.RawMessage, cursor string, limit int) (items []json.RawMessage, next string, err error) {
	var r api.Result
	err = resultPage(&r, answer, cursor, limit)
	return r.Items, r.Next, err
}

// Seconds is a duration somebody gave as a number.
func Seconds(s float64) time.Duration { return seconds(s) }

// HasTurn reads a body and reports whether others had to wait meanwhile.
func HasTurn(h http.Handler, data []byte) (bool, error) {
	s := spy{face: h.(*face)}
	err := s.face.decode(data, "", &s)
	return s.held, err
}

// spy is what a body is read into.
type spy struct {
	Text string `json:"text"`

	face *face
	held bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *spy) UnmarshalJSON([]byte) error {
	if s.held = !s.face.large.TryLock(); !s.held {
		s.face.large.Unlock()
	}
	return nil
}
