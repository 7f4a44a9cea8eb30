package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// get asks for a path, and expects an answer of 200.
func (s *Server) get(ctx context.Context, path string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 1024)) // what there is of it
		_ = answer.Body.Close()
		return nil, fmt.Errorf("%s%s: %s\n%s", s.URL, path, answer.Status, said)
	}
	return answer.Body, nil
}
