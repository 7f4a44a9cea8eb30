package admin

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Document is what a handler of New says of itself.
func Document(h http.Handler) *huma.OpenAPI { return document(h.(*face).routes()) }
