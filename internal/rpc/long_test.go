package rpc_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestLongNumbersInJSON: what is refused is not repeated whole.
func TestLongNumbersInJSON(t *testing.T) {
	s := start(t, t.TempDir(), "")
	long := strings.Repeat("7", 1_000_000)
	for _, body := range []string{
		`{"requests":[{"function":"add","priority":` + long + `}]}`,
		`{"requests":[{"function":` + long + `}]}`,
		`{"requests":[{"` + long + `":1}]}`,
		`{"requests":"` + long + `"}`,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url()+"/polymath.v1.Polymath/Submit", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := web(t, false).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		unknown := strings.HasPrefix(body, `{"requests":[{"7`) // of a newer client, perhaps
		if len(text) > 1_000 || strings.Contains(string(text), "polymathv1") || !unknown && res.StatusCode != http.StatusBadRequest {
			t.Errorf("%.60s: %d, %d bytes: %.200s", body, res.StatusCode, len(text), text)
		}
	}
}
