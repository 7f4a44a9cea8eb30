package api

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// Problem is why something was refused, as RFC 9457 has it. It is the body of
// every answer whose status is 400 or higher, and is in a job that failed or was
// cancelled why it did.
type Problem struct {
	Type     string `json:"type" doc:"What kind of problem it is: urn:polymath:problem: and the code." example:"urn:polymath:problem:not_found"`
	Title    string `json:"title" doc:"The kind in words, the same each time." example:"Not Found"`
	Status   int    `json:"status,omitempty" doc:"The HTTP status. The error of a job has none: the request that shows it succeeded." example:"404"`
	Detail   string `json:"detail,omitempty" doc:"What was wrong, where, and what to do." example:"there is no job j00041a"`
	Instance string `json:"instance,omitempty" doc:"The path that was asked for." example:"/v1/jobs/j00041a"`
	Code     string `json:"code" doc:"The kind as one word, for programs: invalid_argument, unauthenticated, permission_denied, not_found, conflict, stale_token, gone, too_large, unsupported_media, key_reused, rate_limited, overloaded, unavailable, timeout, internal, job_failed or cancelled." example:"not_found"`
}

// Error makes a Problem an error.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}
