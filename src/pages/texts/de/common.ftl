# Was jede Seite hat.
service = Stagegate
skip = Zum Inhalt
acting = Sie sind
acting-here = Sie sind hier
acting-partner = für den Partner
acting-platform = für AITasker
acting-buyer = als Auftraggeber
sign-out = Abmelden
signed-out = Sie sind abgemeldet
signed-out-text = Um zurückzukommen, öffnen Sie einen noch gültigen Link, oder melden Sie sich dort an, wo Sie den letzten bekommen haben.
navigation = Seiten
nav-tasks = Aufgaben
nav-inbox = Eingang
nav-workflows = Abläufe
nav-webhooks = Webhooks
nav-deliveries = Zustellungen
nav-insights = Auswertung
nav-people = Personen
nav-absences = Abwesenheiten
nav-keys = Schlüssel
nav-partners = Partner
nav-erasures = Löschungen
sending = Wird gesendet …
sending-again = Keine Antwort. Neuer Versuch.
not-sent = Nicht gesendet. Sie sind offline, und nichts wurde entschieden. Sie können es erneut versuchen.
offline = Keine Verbindung. Wir versuchen es weiter.
session-over = Ihre Sitzung ist beendet. Was Sie geschrieben haben, bleibt in diesem Tab. Öffnen Sie Ihren Link erneut, um fortzufahren.
changed = Seit Sie diese Seite geöffnet haben, hat sich etwas geändert.
show-new = Neuen Stand zeigen

home = Stagegate
home-text = Hier verfolgen, prüfen und entscheiden Menschen Arbeiten auf AITasker.
home-how = Sie kommen durch einen Link herein: von AITasker oder von dem Partner, für den Sie prüfen. Wenn Ihrer nicht funktioniert, bitten Sie den Absender um einen neuen.

month-1 = Jan.
month-2 = Feb.
month-3 = März
month-4 = Apr.
month-5 = Mai
month-6 = Juni
month-7 = Juli
month-8 = Aug.
month-9 = Sept.
month-10 = Okt.
month-11 = Nov.
month-12 = Dez.

# Fehler.
error-quote = Wenn Sie um Hilfe bitten, nennen Sie
error-not-found = Diese Seite gibt es nicht
error-not-found-text = Vielleicht ist die Adresse falsch geschrieben, oder die Seite gehört jemand anderem. Nichts wurde geändert.
error-archived = Diese Aufgabe wurde archiviert
error-archived-text = Sie ist seit Langem beendet, und ihr Verlauf liegt jetzt in einem Archiv. AITasker findet ihn dort unter der Nummer in der Adresse dieser Seite. Nichts wurde geändert.
error-no-session = Sie sind nicht angemeldet
error-no-session-text = Ihre Sitzung ist beendet, oder dieser Browser hatte nie eine. Öffnen Sie Ihren Link erneut, oder bitten Sie dort um einen neuen, wo Sie ihn bekommen haben. Nichts wurde geändert.
error-forged = Dieses Formular wurde nicht angenommen
error-forged-text = Es kam nicht von einer Seite dieser Sitzung. Öffnen Sie die Seite erneut und senden Sie es von dort. Wenn das so bleibt, verändert ein Programm zwischen Ihrem Browser und diesem Dienst die Anfragen. Nichts wurde geändert.
error-not-allowed = Ihr Link reicht nicht bis zu dieser Seite
error-not-allowed-text = Er wurde für etwas anderes ausgestellt. Bitten Sie dort um einen Link zu dieser Seite, wo Sie Ihren bekommen haben. Nichts wurde geändert.
error-too-many = Zu viele Anfragen
error-too-many-text = Warten Sie eine Minute und versuchen Sie es dann erneut. Nichts wurde geändert.
error-too-large = Das Formular ist zu groß
error-too-large-text = Ein Formular darf 1 MiB haben. Kürzen Sie die Texte. Nichts wurde geändert.
error-unreadable = Das Formular ist nicht lesbar
error-unreadable-text = Öffnen Sie die Seite erneut und senden Sie es von dort. Nichts wurde geändert.
error-unavailable = Der Dienst ist im Moment nicht erreichbar
error-unavailable-text = Nichts wurde geändert. Versuchen Sie es in einigen Sekunden erneut.
error-unanswered = Es ist nicht bekannt, ob dies aufgezeichnet wurde
error-unanswered-text = Die Datenbank hat nicht rechtzeitig geantwortet. Senden Sie dasselbe Formular noch einmal: Es wirkt nur einmal.
error-internal = Bei uns ist etwas schiefgegangen
error-internal-text = Es ist nicht sicher, dass Ihr Formular aufgezeichnet wurde. Senden Sie es noch einmal: Es wirkt nur einmal. Wenn der Fehler bleibt, bitten Sie um Hilfe.

# Wörter, die mehrere Seiten brauchen.
party-partner = der Partner
party-platform = AITasker
party-buyer = der Auftraggeber
