package config

import (
	"strings"
	"testing"
)

func TestBlobPlacesAreRead(t *testing.T) {
	for text, want := range map[string]struct{ place, shown string }{
		"db:":                       {"parts", "db:"},
		"dir:/var/lib/postrider/b/": {"dir:/var/lib/postrider/b", "dir:/var/lib/postrider/b"},
		"s3://mail/post/?endpoint=minio.example.com:9000&region=eu-1": {
			"s3://minio.example.com:9000/mail/post", "s3://mail/post?endpoint=minio.example.com:9000&region=eu-1"},
		"s3://mail?region=eu-central-1":         {"s3://s3.eu-central-1.amazonaws.com/mail", "s3://mail?endpoint=s3.eu-central-1.amazonaws.com&region=eu-central-1"},
		"s3://mail?endpoint=10.0.0.7&tls=none":  {"s3://10.0.0.7/mail", "s3://mail?endpoint=10.0.0.7&tls=none"},
		" s3://mail?endpoint=a:1&tls=required ": {"s3://a:1/mail", "s3://mail?endpoint=a:1"},
	} {
		var u, again BlobURL
		if err := u.Decode(text); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if u.Place() != want.place || u.String() != want.shown {
			t.Errorf("%s: place %q, shown %q", text, u.Place(), u.String())
		}
		if err := again.Decode(u.String()); err != nil || again != u {
			t.Errorf("%s: what is shown reads as %+v, %v", text, again, err)
		}
	}
}

func TestBlobPlacesThatAreNoneStopTheStart(t *testing.T) {
	const key = "AKIAVERYSECRET"
	for text, problem := range map[string]string{
		"db:x": "none of", "x": "none of", "file:/x": "none of", "dir:": "whole path", "dir:relative": "whole path", "dir://host/x": "whole path",
		"s3://mail": "neither an endpoint nor a region", "s3://?endpoint=a": "no bucket", "s3://Mail?endpoint=a": "no bucket",
		"s3://" + key + ":" + key + "@mail?endpoint=a": "user or password", "s3://mail?endpoint=a&key=" + key: "other parameters",
		"s3://mail?endpoint=a&endpoint=b": "other parameters", "s3://mail?endpoint=a&tls=off": "neither required nor none",
		"s3://mail?endpoint=http://a": "endpoint that is not host", "s3://mail/a b?endpoint=a": "prefix", "s3://mail/../x?endpoint=a": "prefix",
	} {
		environ(t, complete(map[string]string{"BLOB_URL": text, "BLOB_ACCESS_KEY": "a", "BLOB_SECRET_KEY": "b"}))
		err := Load(new(Producer))
		if err == nil || !strings.Contains(err.Error(), "POSTRIDER_BLOB_URL") || !strings.Contains(err.Error(), problem) || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestABucketNeedsItsKeys(t *testing.T) {
	const bucket = "s3://mail?endpoint=a"
	for name, settings := range map[string]map[string]string{
		"of new attachments": {"BLOB_URL": bucket}, "of earlier ones": {"BLOB_ALSO": "dir:/x," + bucket},
	} {
		environ(t, complete(settings))
		for _, p := range []Program{new(Producer), new(Consumer), new(Serve), new(Dev)} {
			if p.name() == "dev" || p.name() == "serve" {
				environ(t, complete(map[string]string{"BLOB_URL": settings["BLOB_URL"], "BLOB_ALSO": settings["BLOB_ALSO"], "RABBITMQ_URL": "-", "BLOB_ACCESS_KEY": ""}))
			}
			err := Load(p)
			if err == nil || !strings.Contains(err.Error(), "POSTRIDER_BLOB_ACCESS_KEY is not set") || !strings.Contains(err.Error(), "POSTRIDER_BLOB_SECRET_KEY is not set") {
				t.Errorf("%s, %s: %v", name, p.name(), err)
			}
		}
	}
	environ(t, complete(map[string]string{"BLOB_URL": bucket, "BLOB_ACCESS_KEY": "key-of-mine", "BLOB_SECRET_KEY": "secret-of-mine"}))
	var c Consumer
	if err := Load(&c); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Effective() {
		if strings.Contains(s.String(), "of-mine") {
			t.Errorf("shown: %s", s)
		}
	}
}

func TestHostsToFetchFromAreRead(t *testing.T) {
	environ(t, complete(map[string]string{"ATTACHMENT_FETCH_ALLOW": "Files.Example.com, 10.0.0.7:8080"}))
	var p Producer
	if err := Load(&p); err != nil || p.AttachmentFetchAllow.String() != "files.example.com,10.0.0.7:8080" {
		t.Errorf("%v, %v", p.AttachmentFetchAllow, err)
	}
	environ(t, complete(map[string]string{"ATTACHMENT_FETCH_ALLOW": "http://a", "ATTACHMENT_FETCH": "on"}))
	if err := Load(new(Producer)); err == nil || !strings.Contains(err.Error(), "FETCH_ALLOW holds") || !strings.Contains(err.Error(), `FETCH is "on"`) {
		t.Errorf("%v", err)
	}
}
