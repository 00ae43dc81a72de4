// Package reference turns the OpenAPI document into a page for people. The page
// is one file without script, fonts or pictures from elsewhere: it can be read
// where there is no way out to the internet, and saved.
package reference
