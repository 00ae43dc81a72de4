package httpapi_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/postrider/postrider/internal/message"
)

func TestListsAreSearched(t *testing.T) {
	w := newWorld(t)
	ann := w.post(`"to":"Ann+shop@example.com"`)
	order := w.post(`"subject":"Ihre BESTELLUNG Nr. 4711 über 5 €"`, `"tags":[{"name":"kind","value":"order"}]`, `"metadata":{"order":"4711","user":"ann"}`)
	urgent := w.post(`"lane":"critical"`, `"bcc":"ann+shop@example.com"`)
	born := uuid.MustParse(order)
	sec, nsec := born.Time().UnixTime()
	at := time.Unix(sec, nsec)
	for query, want := range map[string][]string{
		"recipient=ann%2Bshop@EXAMPLE.com":       {urgent, ann},
		"recipient=nobody@example.com":           nil,
		"subject=bestellung":                     {order},
		"subject=" + url.QueryEscape("ÜBER 5 €"): {order},
		"tag=kind":                                           {order},
		"tag=kind:order":                                     {order},
		"tag=kind:invoice":                                   nil,
		"metadata.order=4711":                                {order},
		"metadata.order=4711&metadata.user=ann":              {order},
		"metadata.order=4711&metadata.user=bob":              nil,
		"lane=critical":                                      {urgent},
		"lane=critical&recipient=b@example.com":              {urgent},
		"lane=critical&tag=kind":                             nil,
		"status=queued&tag=kind":                             {order},
		"status=failed&tag=kind":                             nil,
		"created_before=2001-01-01T00:00:00Z":                nil,
		"created_after=2001-01-01T00:00:00%2B02:00&tag=kind": {order},
		"subject=bestellung&created_after=" + at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano):                        {order},
		"subject=bestellung&created_before=" + at.UTC().Truncate(time.Millisecond).Add(time.Millisecond).Format(time.RFC3339Nano): {order},
		"subject=bestellung&created_before=" + at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano):                       nil,
	} {
		a := w.do("GET", "/v1/emails?"+query, "")
		if a.want(t, 200, ""); !slices.Equal(ids(a), want) {
			t.Errorf("%s: %v, want %v", query, ids(a), want)
		}
	}
	if of := w.do("GET", "/v1/emails?tag=kind", "", "Authorization", "Bearer "+keyB); len(ids(of)) != 0 {
		t.Errorf("tenant B finds %s", of.body)
	}
}

func TestMailIsFoundByItsTemplate(t *testing.T) {
	w := newWorld(t)
	id := w.stencil(map[string]any{"name": "Order", "alias": "order", "html": "<p>{{{NUMBER}}}</p>", "subject": "Order"})
	w.do("POST", "/v1/templates/"+id+"/publish", "").want(t, 200, "")
	a := w.do("POST", "/v1/emails", `{"from":"a@example.com","to":"b@example.com","template":{"id":"order","variables":{"NUMBER":7}}}`)
	a.want(t, 202, "")
	w.post(`"subject":"` + id + `"`)
	for _, name := range []string{"order", id, strings.ToUpper(id)} {
		if found := w.do("GET", "/v1/emails?template="+name, ""); !slices.Equal(ids(found), []string{a.text("id")}) {
			t.Errorf("%s: %s", name, found.body)
		}
	}
	if none := w.do("GET", "/v1/emails?template="+message.NewID().String(), ""); none.status != 200 || len(ids(none)) != 0 {
		t.Errorf("%s", none.body)
	}
	for name, want := range map[string]string{
		"nothing": "/template template_not_found", "": "/template invalid_field", strings.Repeat("x", 5000): "/template template_not_found",
		"%27%20OR%201=1--": "/template template_not_found", "%ff": "/template invalid_field",
	} {
		for _, path := range []string{"/v1/emails?template=", "/v1/emails.csv?template="} {
			if a := w.do("GET", path+name, ""); a.status != 422 || !slices.Contains(a.faults(), want) {
				t.Errorf("%.50s: %d %v", name, a.status, a.faults())
			}
		}
	}
	w.do("GET", "/v1/emails?template=order", "", "Authorization", "Bearer "+keyB).want(t, 422, "validation_error")
}

func TestAPageNamesTheNext(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.post()
	}
	var seen []string
	for query := "/v1/emails?limit=2&subject=HELLO"; ; {
		a := w.do("GET", query, "")
		seen = append(seen, ids(a)...)
		if a.json["has_more"] != true {
			if a.json["next"] != nil {
				t.Errorf("the last page has a next one: %s", a.body)
			}
			break
		}
		query = "/v1/emails?limit=2&subject=HELLO&after=" + a.text("next")
	}
	if len(seen) != 5 || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != 5 {
		t.Errorf("seen %v", seen)
	}
}

// TestBadParametersAreNamed is rows 71 and 72 of what strangers send, and their
// neighbours.
func TestBadParametersAreNamed(t *testing.T) {
	w := newWorld(t)
	w.post()
	for query, fault := range map[string]string{
		"limit=-1": "/limit invalid_field", "limit=0": "/limit invalid_field", "limit=101": "/limit invalid_field",
		"limit=1000000000": "/limit invalid_field", "limit=1e2": "/limit invalid_field", "limit=99999999999999999999": "/limit invalid_field",
		"after=x": "/after invalid_field", "after=" + uuid.NewString(): "/after invalid_field", "after=%27%20OR%201%3D1--": "/after invalid_field",
		"before=01890a5dac96774bbcceb302099a8057":                                   "/before invalid_field",
		"after=" + message.NewID().String() + "&before=" + message.NewID().String(): "/before invalid_field",
		"Recipient=a@example.com":                                                   "/Recipient unknown_field", "to=a@example.com": "/to unknown_field", "metadata=x": "/metadata unknown_field",
		"metadata[order]=1": "/metadata[order] unknown_field", "tag=a&tag=b": "/tag invalid_field", "metadata.a=1&metadata.a=2": "/metadata.a invalid_field",
		"recipient=": "/recipient invalid_field", "recipient=a": "/recipient invalid_address", "recipient=a+b@example.com": "/recipient invalid_address",
		"recipient=" + url.QueryEscape("Ann <a@example.com>"): "/recipient invalid_address", "recipient=%25@example": "/recipient invalid_address",
		"recipient=a@example.com,b@example.com": "/recipient invalid_address",
		"subject=":                              "/subject invalid_field", "subject=" + strings.Repeat("x", 257): "/subject too_large",
		"subject=%00": "/subject invalid_field", "subject=%ff": "/subject invalid_field", "metadata.a=%c0%af": "/metadata.a invalid_field",
		"tag=": "/tag invalid_field", "tag=:x": "/tag invalid_field", "tag=a:": "/tag invalid_field", "tag=a:b:c": "/tag invalid_field", "tag=%25": "/tag invalid_field",
		"metadata.=x": "/metadata. invalid_field", "metadata.a.b=x": "/metadata.a.b invalid_field", "metadata.%25=x": "/metadata.% invalid_field",
		"metadata.a=1&metadata.b=2&metadata.c=3&metadata.d=4&metadata.e=5&metadata.f=6": "/metadata too_large",
		"metadata.a=" + strings.Repeat("x", 8<<10+1):                                    "/metadata.a too_large",
		"lane=fast": "/lane invalid_field", "lane=": "/lane invalid_field", "status=opened": "/status invalid_field",
		"created_after=yesterday": "/created_after invalid_field", "created_after=2030-01-01": "/created_after invalid_field",
		"created_after=2030-01-01T00:00:00+01:00": "/created_after invalid_field", "created_after=2030-01-01T00:00:00": "/created_after invalid_field",
		"created_after=0001-01-01T00:00:00Z": "/created_after invalid_field", "created_before=1e18": "/created_before invalid_field",
		"created_after=2030-01-02T00:00:00Z&created_before=2030-01-01T00:00:00Z": "/created_before invalid_field",
	} {
		a := w.do("GET", "/v1/emails?"+query, "")
		if a.want(t, 422, "validation_error"); !slices.Contains(a.faults(), fault) {
			t.Errorf("%.100s: %v, want %s", query, a.faults(), fault)
		}
		export := w.do("GET", "/v1/emails.csv?"+query, "")
		export.want(t, 422, "validation_error")
	}
	w.do("GET", "/v1/emails?tag=%zz", "").want(t, 422, "validation_error")
	w.do("GET", "/v1/emails?a;b", "").want(t, 422, "validation_error")
	several := w.do("GET", "/v1/emails?lane=x&tag=:&b=1&a=1&metadata.=2", "")
	if want := []string{"/a unknown_field", "/b unknown_field", "/lane invalid_field", "/tag invalid_field", "/metadata. invalid_field"}; !slices.Equal(several.faults(), want) {
		t.Errorf("%v, want %v", several.faults(), want)
	}
}

// TestIDsInPathsAreNoDoor is row 71 for every path that has one.
func TestIDsInPathsAreNoDoor(t *testing.T) {
	w := newWorld(t)
	id := w.post()
	for _, bad := range []string{
		"..%2f..%2fetc%2fpasswd", "%00", "x", strings.Repeat("a", 20_000), "%27%20OR%201=1--", id + "%00", "%7B" + id + "%7D",
		strings.ReplaceAll(id, "-", ""), "urn:uuid:" + id, message.NewID().String(),
	} {
		for _, of := range []string{"", "/content", "/events"} {
			w.do("GET", "/v1/emails/"+bad+of, "").want(t, 404, "not_found")
		}
	}
	for _, of := range []string{"/content", "/events"} {
		w.do("GET", "/v1/emails/"+strings.ToUpper(id)+of, "").want(t, 200, "")
		w.do("GET", "/v1/emails/"+id+of+"?x=1", "").want(t, 422, "validation_error")
		w.do("GET", "/v1/emails/"+id+of, "", "Authorization", "Bearer "+keyB).want(t, 404, "not_found")
		w.do("GET", "/v1/emails/"+id+of, "", "Authorization", "-").want(t, 401, "missing_api_key")
		w.do("POST", "/v1/emails/"+id+of, "").want(t, 405, "method_not_allowed")
	}
}
