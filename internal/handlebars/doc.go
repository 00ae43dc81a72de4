// Package handlebars is the language of templates: a subset of Handlebars for
// texts that are written by strangers. It has values, conditions, loops over
// lists and includes, and no way to call anything: no functions, no files, no
// environment, no dynamic names, no recursion. What a template may cost is
// bounded when it is compiled and counted when it is rendered.
//
// A text is parsed here, written down again as a Go template that can only ask
// a scope for values by number, and run by html/template, which escapes every
// value for the place in the HTML where it stands, or by text/template for what
// is no HTML.
//
// Before html/template sees HTML, markup reads it as a mail program does, and
// refuses what the two would read differently or what would take html/template
// too long: markup.go goes along the ways through blocks and includes, point.go
// says where in the HTML one is, reading.go, attribute.go and inside.go read
// text, tags and elements of text alone, and effort.go weighs what they cost.
package handlebars
