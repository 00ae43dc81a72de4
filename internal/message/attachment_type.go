package message

import "strings"

// typeByName is a table of our own rather than package mime's, which reads the
// tables of the machine: two producers must not disagree, and a container image
// without /etc/mime.types must know a spreadsheet too.
func typeByName(filename string) string {
	dot := strings.LastIndexByte(filename, '.')
	if dot < 0 {
		return octetStream
	}
	extension := strings.ToLower(filename[dot+1:])
	switch extension {
	case "txt", "log", "text":
		return "text/plain; charset=utf-8"
	case "csv":
		return "text/csv; charset=utf-8"
	case "html", "htm":
		return "text/html; charset=utf-8"
	case "css":
		return "text/css; charset=utf-8"
	case "md":
		return "text/markdown; charset=utf-8"
	case "ics":
		return "text/calendar; charset=utf-8"
	case "vcf":
		return "text/vcard; charset=utf-8"
	}
	if kind := imageType(extension); kind != "" {
		return kind
	}
	return applicationType(extension)
}

// imageType knows pictures, sound and film; "" is anything else.
func imageType(extension string) string {
	switch extension {
	case "jpg", "jpeg":
		return "image/jpeg"
	case "png", "gif", "webp", "avif", "bmp", "heic":
		return "image/" + extension
	case "svg":
		return "image/svg+xml"
	case "tif", "tiff":
		return "image/tiff"
	case "ico":
		return "image/vnd.microsoft.icon"
	case "mp3":
		return "audio/mpeg"
	case "wav", "ogg", "flac":
		return "audio/" + extension
	case "mp4", "webm":
		return "video/" + extension
	case "mov":
		return "video/quicktime"
	}
	return ""
}

func applicationType(extension string) string {
	const office = "application/vnd.openxmlformats-officedocument."
	switch extension {
	case "pdf", "zip", "json", "xml", "rtf", "gzip":
		return "application/" + extension
	case "gz", "tgz":
		return "application/gzip"
	case "doc":
		return "application/msword"
	case "xls":
		return "application/vnd.ms-excel"
	case "ppt":
		return "application/vnd.ms-powerpoint"
	case "docx":
		return office + "wordprocessingml.document"
	case "xlsx":
		return office + "spreadsheetml.sheet"
	case "pptx":
		return office + "presentationml.presentation"
	case "odt":
		return "application/vnd.oasis.opendocument.text"
	case "ods":
		return "application/vnd.oasis.opendocument.spreadsheet"
	case "js", "mjs":
		return "text/javascript; charset=utf-8"
	}
	return octetStream
}
