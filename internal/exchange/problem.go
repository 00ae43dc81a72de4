package exchange

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CodeStranger is the code of an answer that is not one of a Postrider server.
const CodeStranger = "unexpected_answer"

// Problem is a request that the server refused.
type Problem struct {
	Status     int           `json:"status"`
	Code       string        `json:"code"`
	Detail     string        `json:"detail"`
	RequestID  string        `json:"request_id"`
	Fields     []Fault       `json:"errors"`
	RetryAfter time.Duration `json:"-"` // 0: the server did not say
}

// Fault is what is wrong in one place of the request.
type Fault struct {
	Pointer string `json:"pointer"` // RFC 6901, such as /to/0
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error lists every fault, one to a line.
func (p *Problem) Error() string {
	lines := []string{p.Detail}
	for _, f := range p.Fields {
		said := f.Detail
		if f.Pointer != "" { // else it is the body as a whole
			said = f.Pointer + ": " + said
		}
		lines = append(lines, said)
	}
	if len(p.Fields) == 1 && p.Fields[0].Detail == p.Detail { // of text that cannot be read
		lines = lines[1:]
	}
	if p.Status >= http.StatusInternalServerError && p.RequestID != "" {
		lines = append(lines, "request "+p.RequestID)
	}
	return fmt.Sprintf("the server refused: %d %s: %s", p.Status, p.Code, strings.Join(lines, "\n  "))
}

// Unavailable reports whether the server is there and cannot serve now.
func (p *Problem) Unavailable() bool {
	return p.Status == http.StatusServiceUnavailable || p.Status == http.StatusBadGateway || p.Status == http.StatusGatewayTimeout
}

// problemOf reads the body of a refusal; what stands between us and the server
// may have written another one.
func problemOf(response *http.Response, text []byte) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(text, p); err != nil || p.Code == "" {
		p = &Problem{Code: CodeStranger, Detail: "the answer is not one of a Postrider server"}
	}
	p.Status = response.StatusCode
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(min(seconds, maxRetryAfter)) * time.Second
	}
	return p
}

// maxRetryAfter keeps the sums of times that a stranger names in range.
const maxRetryAfter = 365 * 24 * 3600
