// Package httpapi serves Postrider's HTTP API: reading requests within limits,
// finding whose they are, and answering every error from one table. It decides
// nothing about messages; the ports it declares do.
package httpapi
