package test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/resend/resend-go/v3"
)

const nobody = "01a1fa7c-7466-7261-9831-867e93c889df" // an id in the form of ours that nothing has

// everyCall goes through the client itself, each service and each method. A service is
// offered, and then none of its paths may be taken for absent; or each call of it must be
// answered as not offered. So the new calls of a later SDK are seen here first.
func (c *goSDK) everyCall() {
	const tenant = "every" // whose templates and keys are in no other check's way
	c.stack.wants("make a tenant", c.stack.call(c.stack.api, apiKey, http.MethodPost, "/v1/tenants", map[string]any{"name": tenant}), http.StatusCreated)
	client, notes := c.stack.noting(c.stack.makeKey(map[string]any{"name": "all", "scope": "admin", "tenant": tenant}).Token)
	calls := callsOf(c.Context(), "", reflect.ValueOf(client).Elem())
	if len(calls) < 80 {
		c.Errorf("only %d calls were found", len(calls))
	}
	for name, makeIt := range calls {
		err := makeIt()
		asked := notes.take()
		service := name[:strings.LastIndex(name, ".")]
		switch {
		case name == "Webhooks.Verify": // asks no server
		case len(asked) != 1:
			c.Errorf("%s asked %d times: %v", name, len(asked), err)
		case service == "Emails", service == "Batch", service == "ApiKeys", service == "Templates":
			if err != nil && (strings.Contains(err.Error(), "does not offer") || strings.Contains(err.Error(), "nothing at this path") || strings.Contains(err.Error(), "allowed here")) {
				c.Errorf("%s is offered, and %s is answered with %v", name, asked[0].call, err)
			}
		default:
			c.refused(err, "does not offer "+asked[0].call+": ")
			if asked[0].status != http.StatusNotImplemented {
				c.Errorf("%s: %+v", name, asked[0])
			}
		}
	}
}

// note is a request of the SDK's, "GET /v1/emails", and how it was answered.
type note struct {
	call   string
	status int
	header http.Header
}

// notes takes down what an SDK asks. It is safe for concurrent use.
type notes struct {
	mu   sync.Mutex
	list []note
}

// noting is the client with its requests taken down.
func (s *stack) noting(key string) (*resend.Client, *notes) {
	notes := &notes{}
	client := resend.NewCustomClient(&http.Client{Transport: notes, Timeout: sdkTimeout}, key)
	client.BaseURL = s.resend(key).BaseURL
	return client, notes
}

// RoundTrip implements http.RoundTripper.
func (n *notes) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.list = append(n.list, note{r.Method + " " + r.URL.Path, res.StatusCode, res.Header})
	}
	return res, err
}

// take returns what was noted since it was last called.
func (n *notes) take() []note {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.list
	n.list = nil
	return list
}

// callsOf finds the methods of the services that are fields of v, by names such as
// Emails.Receiving.Get, each with arguments that the SDK itself lets through.
func callsOf(ctx context.Context, prefix string, v reflect.Value) map[string]func() error {
	calls := map[string]func() error{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || !strings.Contains(field.Type.String(), "Svc") {
			continue
		}
		service := v.Field(i)
		for m := range service.NumMethod() {
			method := service.Method(m)
			calls[prefix+field.Name+"."+service.Type().Method(m).Name] = func() error { return callOne(ctx, method) }
		}
		for service.Kind() == reflect.Interface || service.Kind() == reflect.Pointer {
			service = service.Elem()
		}
		for name, call := range callsOf(ctx, prefix+field.Name+".", service) {
			calls[name] = call
		}
	}
	return calls
}

func callOne(ctx context.Context, method reflect.Value) error {
	var args []reflect.Value
	for i := range method.Type().NumIn() {
		args = append(args, someOf(ctx, method.Type().In(i)))
	}
	results := method.Call(args)
	last := results[len(results)-1].Interface()
	if err, ok := last.(error); ok {
		return err
	}
	if last != nil {
		return fmt.Errorf("the last result is %v, and no error", last)
	}
	return nil
}

// someOf is a value in which every text is an id that nothing has, and every list has
// one element. What is of a type of its own stays empty.
func someOf(ctx context.Context, t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Interface:
		if t == reflect.TypeFor[context.Context]() {
			v.Set(reflect.ValueOf(ctx))
		}
	case reflect.String:
		if t == reflect.TypeFor[string]() {
			v.SetString(nobody)
		}
	case reflect.Pointer:
		v = reflect.New(t.Elem())
		v.Elem().Set(someOf(ctx, t.Elem()))
	case reflect.Slice:
		v.Set(reflect.Append(v, someOf(ctx, t.Elem())))
	case reflect.Struct:
		for i := range t.NumField() {
			if kind := t.Field(i).Type.Kind(); t.Field(i).IsExported() && (kind == reflect.String || kind == reflect.Slice) {
				v.Field(i).Set(someOf(ctx, t.Field(i).Type))
			}
		}
	}
	return v
}
