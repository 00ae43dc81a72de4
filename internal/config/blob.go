package config

import (
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
)

// BlobKind is what holds blobs.
type BlobKind string

// The kinds of places.
const (
	BlobDatabase BlobKind = "db"
	BlobDir      BlobKind = "dir"
	BlobS3       BlobKind = "s3"
)

const blobRemedy = "write db:, dir:/a/folder, or s3://bucket/prefix?endpoint=host:port&region=name"

// BlobURL is a place for the bytes of large attachments. It holds no secret.
type BlobURL struct {
	Kind     BlobKind
	Dir      string
	Endpoint string // host or host:port
	Bucket   string
	Prefix   string // without slashes at its ends; may be empty
	Region   string // may be empty
	Plain    bool   // tls=none was written out
}

// Decode reads db:, dir:/path or s3://bucket/prefix?endpoint=…&region=…&tls=none.
func (b *BlobURL) Decode(text string) error {
	scheme, rest, found := strings.Cut(strings.TrimSpace(text), ":")
	switch {
	case scheme == "db" && found && rest == "":
		*b = BlobURL{Kind: BlobDatabase}
		return nil
	case scheme == "dir" && found:
		return b.decodeDir(rest)
	case scheme == "s3" && found:
		return b.decodeS3(strings.TrimSpace(text))
	}
	return bad("is none of db:, dir: and s3:", blobRemedy)
}

func (b *BlobURL) decodeDir(dir string) error {
	if !path.IsAbs(dir) || strings.HasPrefix(dir, "//") || strings.ContainsAny(dir, ",?#\x00") {
		return bad("is not dir: and the whole path of a folder", "write dir: and a path that begins with a slash, such as dir:/var/lib/postrider/blobs, the same on every host")
	}
	*b = BlobURL{Kind: BlobDir, Dir: path.Clean(dir)}
	return nil
}

func (b *BlobURL) decodeS3(text string) error {
	u, err := parseLogin(text, blobRemedy)
	if err != nil {
		return err
	}
	query, err := url.ParseQuery(u.RawQuery)
	next := BlobURL{
		Kind: BlobS3, Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"),
		Endpoint: query.Get("endpoint"), Region: query.Get("region"), Plain: query.Get("tls") == "none",
	}
	if next.Endpoint == "" && next.Region != "" {
		next.Endpoint = "s3." + next.Region + ".amazonaws.com"
	}
	switch {
	case u.User != nil:
		return bad("holds a user or password", "give the keys by POSTRIDER_BLOB_ACCESS_KEY and POSTRIDER_BLOB_SECRET_KEY")
	case err != nil || !onlyOnce(query, "endpoint", "region", "tls"):
		return bad("has other parameters than one endpoint, region and tls", blobRemedy)
	case query.Has("tls") && !next.Plain && query.Get("tls") != "required":
		return bad("has a tls that is neither required nor none", blobRemedy)
	case !validBucket(next.Bucket):
		return bad("names no bucket of 3 to 63 lower-case letters, digits, dots and dashes", blobRemedy)
	case !plainName(next.Prefix, "/"):
		return bad("has a prefix with other signs than letters, digits, and ._-/", blobRemedy)
	case next.Endpoint == "":
		return bad("names neither an endpoint nor a region", blobRemedy)
	case !validEndpoint(next.Endpoint) || !plainName(next.Region, ""):
		return bad("has an endpoint that is not host or host:port, or a region that is no name", blobRemedy)
	}
	*b = next
	return nil
}

// onlyOnce reports whether there are no parameters but these, each at most once.
func onlyOnce(query url.Values, names ...string) bool {
	for name, values := range query {
		if !slices.Contains(names, name) || len(values) != 1 {
			return false
		}
	}
	return true
}

func validBucket(s string) bool {
	return len(s) >= 3 && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

func plainName(s, more string) bool {
	return !strings.Contains(s, "..") && made(s, "._-"+more)
}

func validEndpoint(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, "443"
	}
	return (validHost(host) || net.ParseIP(host) != nil) && port != "" && strings.Trim(port, "0123456789") == ""
}

// Place is the name that is written down with every blob there, by which it is found
// when the setting has long been another. Nothing in it but what says where it is.
func (b BlobURL) Place() string {
	switch b.Kind {
	case BlobDir:
		return "dir:" + b.Dir
	case BlobS3:
		return "s3://" + path.Join(b.Endpoint, b.Bucket, b.Prefix)
	case BlobDatabase:
	}
	return "parts"
}

// String is the place as it may be written.
func (b BlobURL) String() string {
	switch b.Kind {
	case BlobDir:
		return "dir:" + b.Dir
	case BlobS3:
		query := "?endpoint=" + b.Endpoint
		if b.Region != "" {
			query += "&region=" + b.Region
		}
		if b.Plain {
			query += "&tls=none"
		}
		return "s3://" + path.Join(b.Bucket, b.Prefix) + query
	case BlobDatabase:
		return "db:"
	}
	return ""
}

// BlobURLs are several places.
type BlobURLs []BlobURL

// Decode reads places separated by commas. Empty is none.
func (b *BlobURLs) Decode(text string) error {
	var list BlobURLs
	for _, entry := range entries(text) {
		var one BlobURL
		if err := one.Decode(entry); err != nil {
			return err
		}
		list = append(list, one)
	}
	*b = list
	return nil
}

// String is the places separated by commas.
func (b BlobURLs) String() string {
	shown := make([]string, len(b))
	for i, one := range b {
		shown[i] = one.String()
	}
	return strings.Join(shown, ",")
}

// S3Key is half of what opens a bucket.
type S3Key struct{ Secret }

// Decode takes any text without blanks. Empty is none.
func (k *S3Key) Decode(text string) error {
	if strings.ContainsAny(text, " \t\r\n") {
		return bad("holds a blank or a line end", "give the key alone")
	}
	*k = S3Key{NewSecret(text)}
	return nil
}

// Blob is where the bytes of large attachments are kept.
type Blob struct {
	URL       BlobURL  `default:"db:" desc:"Where the bytes of attachments go that a message does not carry in itself (all that is beyond 256 KiB of them): db: in the database; dir:/a/folder, which all processes see under the same path; s3://bucket/prefix?endpoint=host:port&region=name, over TLS unless tls=none is added. Producers and consumers have the same."`
	Also      BlobURLs `desc:"Earlier places, separated by commas: nothing new is put there, and what is there can still be read and deleted. db: is always one of them."`
	AccessKey S3Key    `secret:"true" desc:"The access key of the bucket. All s3:// places share it."`
	SecretKey S3Key    `secret:"true" desc:"The secret key of the bucket."`
}

func (Blob) about() (string, string) { return "Attachments", "See [Attachments](attachments.md)." }

// All lists the places, the one for new attachments first.
func (b *Blob) All() []BlobURL { return append([]BlobURL{b.URL}, b.Also...) }

func (b *Blob) check(f *faults) {
	if !slices.ContainsFunc(b.All(), func(u BlobURL) bool { return u.Kind == BlobS3 }) {
		return
	}
	f.require("POSTRIDER_BLOB_ACCESS_KEY", b.AccessKey.Reveal() != "", "give the access key of the bucket, or keep attachments elsewhere")
	f.require("POSTRIDER_BLOB_SECRET_KEY", b.SecretKey.Reveal() != "", "give the secret key of the bucket, also as POSTRIDER_BLOB_SECRET_KEY_FILE")
}

// Fetching is what may be fetched for callers.
type Fetching struct {
	AttachmentFetch      string `default:"public" oneof:"public|off" desc:"Whether a file is fetched where an attachment has a path, the URL of a file, instead of its content. public: from hosts that everybody can reach, never from this network. off: such a request is refused."`
	AttachmentFetchAllow Hosts  `desc:"Hosts that files may be fetched from although they are in this network, as host or host:port, separated by commas. A name is trusted, whatever address it has."`
}

func (Fetching) about() (string, string) { return "Attachments", "" }

// Hosts are hosts, each with or without a port.
type Hosts []string

// Decode reads host or host:port, separated by commas. Empty is none.
func (h *Hosts) Decode(text string) error {
	var hosts Hosts
	for _, entry := range entries(text) {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if !validEndpoint(entry) {
			return bad("holds an entry that is not host or host:port", "write names such as files.example.com or 10.0.0.7:8080, separated by commas")
		}
		hosts = append(hosts, entry)
	}
	*h = hosts
	return nil
}

// String is the hosts separated by commas.
func (h Hosts) String() string { return strings.Join(h, ",") }
