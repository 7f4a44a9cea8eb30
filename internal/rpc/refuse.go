package rpc

import (
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/polymath-run/polymath"
	"github.com/polymath-run/polymath/api"
	"github.com/polymath-run/polymath/api/polymathv1/polymathv1connect"
	"github.com/polymath-run/polymath/internal/problem"
)

// maxRetrySeconds spreads those who were turned away, so that they do not come
// back together.
const maxRetrySeconds = 30

// refuse answers a request that is no call yet, by a problem as the other face
// has it. Calls are refused as their protocol says.
func refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	code := polymath.CodeOf(err)
	if code == polymath.Overloaded {
		w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(maxRetrySeconds)))
	}
	if r.ProtoMajor < 2 {
		w.Header().Set("Connection", "close") // or the client waits to be read
	}
	problem.Write(w, &api.Problem{
		Type: code.Problem(), Title: http.StatusText(status), Status: status, Detail: err.Error(), Instance: r.URL.Path, Code: code.String(),
	})
}

// isCall reports whether there is a call at a path.
func isCall(path string) bool {
	switch path {
	case polymathv1connect.PolymathSubmitProcedure, polymathv1connect.PolymathGetProcedure, polymathv1connect.PolymathWaitProcedure,
		polymathv1connect.PolymathCancelProcedure, polymathv1connect.PolymathExchangeProcedure:
		return true
	default:
		return false
	}
}
