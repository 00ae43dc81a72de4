package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/message"
)

// Problem is a request that the server refused.
type Problem struct {
	Status     int                  `json:"status"`
	Code       message.Code         `json:"code"`
	Detail     string               `json:"detail"`
	RequestID  string               `json:"request_id"`
	Fields     []message.FieldError `json:"errors"`
	RetryAfter time.Duration        `json:"-"` // 0: the server did not say
}

// Error lists every fault, one to a line.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the server refused: %d %s: %s", p.Status, p.Code, p.Detail)
	for _, f := range p.Fields {
		fmt.Fprintf(&b, "\n  %s: %s", f.Pointer, f.Detail)
	}
	if p.Status >= http.StatusInternalServerError && p.RequestID != "" {
		b.WriteString("\n  request " + p.RequestID)
	}
	return b.String()
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
		p = &Problem{Code: "unexpected_answer", Detail: "the answer is not one of a Postrider server"}
	}
	p.Status = response.StatusCode
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}
