# Die Konsole für Entwickler und Betreiber.
secret-once = Dies wird nur einmal gezeigt. Speichern Sie es jetzt; wir haben keine Kopie, die wir noch einmal zeigen könnten.
console-mistakes = Bitte korrigieren Sie dies
console-error-title = Fehler: { $title }
console-more = Mehr
console-any = beliebig
console-all = Alle zeigen
console-show = Zeigen
console-back = Zurück
console-keep = Behalten
console-state = Zustand
console-when = Wann
console-created = Erstellt
console-updated = Geändert
console-number = Nr.
console-name = Name
console-id = Id
console-json = JSON
console-url = URL
console-message-id = Id der Nachricht
console-key = Schlüssel
console-reason = Grund
console-result = Ergebnis
console-time-hint = Ein Tag wie 2027-01-15 oder ein Zeitpunkt wie 2027-01-15T08:00:00Z.
console-or = { $first } oder { $last }
console-days = { $number ->
    [one] { $number } Tag
   *[other] { $number } Tage
}
console-hours = { $number ->
    [one] { $number } Stunde
   *[other] { $number } Stunden
}
console-minutes = { $number ->
    [one] { $number } Minute
   *[other] { $number } Minuten
}
console-seconds = { $number ->
    [one] { $number } Sekunde
   *[other] { $number } Sekunden
}
console-working-time = { $time } Arbeitszeit
console-unknown = Nicht bekannt
console-unreadable-newer = Eine neuere Version des Dienstes hat dies geschrieben. Lesen Sie es erneut, wenn überall diese Version läuft.
console-unreadable-damaged = Dies ist nicht lesbar. Die Betreiber der Plattform müssen es sich ansehen.

# Was in einer Adresse oder einem Formular nicht lesbar ist.
console-wrong-stage = Der Schlüssel einer Stufe besteht aus den Zeichen a-z, 0-9 und -.
console-wrong-workflow = Der Schlüssel eines Workflows hat 1 bis 64 der Zeichen a-z, 0-9 und -.
console-wrong-task = Die Id einer Aufgabe ist eine UUID.
console-wrong-partner = Die Id eines Partners ist eine UUID.
console-wrong-time = Schreiben Sie einen Tag wie 2027-01-15 oder einen Zeitpunkt wie 2027-01-15T08:00:00Z.
console-wrong-cursor = Diese Adresse setzt keine Liste fort. Beginnen Sie bei der ersten Seite.
console-wrong-actor = Dies kann keine Id einer Person sein.
console-wrong-hours = Stunden sind ganze Zahlen von 0 bis 2160.
console-wrong-version = Eine Version ist eine ganze Zahl ab 1.
console-wrong-choice = Wählen Sie einen der Werte aus der Liste.

# Aufgaben.
console-tasks = Aufgaben
console-open-tasks = Offene Aufgaben nach Stufe
console-counts-capped = Nur 10.000 offene Aufgaben wurden gezählt. Es gibt mehr.
console-list = Liste
console-task = Aufgabe
console-task-id = Id der Aufgabe
console-workflow-column = Workflow
console-workflow-key = Schlüssel des Workflows
console-stage = Stufe
console-stage-key = Schlüssel der Stufe
console-partner-id = Id des Partners
console-phase = Wo sie ist
console-open = Offen
console-late = Verspätet
console-due = Fällig
console-is-late = verspätet
console-only-late = nur verspätete
console-only-in-time = nur pünktliche
console-waiting-on = Wartet auf
console-since = seit
console-round = Runde { $round }
console-revision = Fassung { $revision }
console-phase-preparing = Arbeit wird erwartet
console-phase-in-review = In Prüfung
console-phase-escalated = Eine Partei soll entscheiden
console-phase-on-hold = Angehalten
console-phase-cancelling = Wird abgebrochen
console-phase-delivery = Geliefert
console-phase-cancelled = Abgebrochen
console-phase-expired = Abgelaufen
console-phase-failed = Gescheitert
console-no-tasks = Es gibt noch keine Aufgaben. Zwei Aufrufe eröffnen die erste: Der Partner registriert einen Workflow, und AITasker eröffnet darauf eine Aufgabe.
console-no-tasks-filtered = Keine Aufgabe ist so.

# Workflows.
console-workflows = Workflows
console-workflow = Workflow { $name }
console-registered = Registriert: { $name }
console-version = Version
console-versions = Versionen
console-version-number = Version { $version }
console-latest-is = die neueste ist { $version }
console-first-version = Die erste Version.
console-stages = Stufen
console-running = Offene Aufgaben
console-warnings = Warnungen
console-no-warnings = Es gibt keine Warnungen.
console-duration = Wie lange
console-worst-case = Eine Aufgabe dauert höchstens { $time }.
console-worst-case-none = Nichts begrenzt, wie lange eine Aufgabe dauern kann.
console-retired = Außer Dienst seit
console-retired-text = Darauf kann keine neue Aufgabe eröffnet werden.
console-drawing = Der Workflow als Zeichnung
console-buyer-reads = Der Auftraggeber liest
console-no-workflows = Es gibt noch keinen Workflow. Prüfen Sie hier eine Definition und registrieren Sie sie mit einem Aufruf.
console-change = Ändern
console-check-changed = Eine Änderung prüfen
console-change-workflow = Der Workflow selbst: { $members }
console-change-added = Neue Stufe { $stage }
console-change-removed = Stufe { $stage } wurde entfernt
console-change-order = Die Stufen haben eine andere Reihenfolge
console-change-stage = Stufe { $stage }: { $members }
console-rule-work = Vor der Prüfung wird Arbeit eingereicht.
console-rule-reviewer = Geprüft durch: { $party }.
console-rule-quorum = Geprüft durch den Partner. Es { $approvals ->
    [one] entscheidet { $approvals } Zustimmung
   *[other] entscheiden { $approvals } Zustimmungen
} oder { $rejections ->
    [one] { $rejections } Ablehnung
   *[other] { $rejections } Ablehnungen
}.
console-rule-quorum-all = Geprüft durch den Partner. Es entscheidet die Zustimmung aller, die zustimmen dürfen, oder eine Ablehnung.
console-rule-panels = Geprüft durch den Partner, in Gremien. Jedes Gremium muss zustimmen; eines, das ablehnt, entscheidet allein.
console-rule-panel = { $panel }: { $approvals ->
    [one] { $approvals } Zustimmung
   *[other] { $approvals } Zustimmungen
} oder { $rejections ->
    [one] { $rejections } Ablehnung
   *[other] { $rejections } Ablehnungen
} von { $people }.
console-rule-panel-all = { $panel }: die Zustimmung aller, die zustimmen dürfen, oder eine Ablehnung, von { $people }.
console-rule-named = Nur diese dürfen abstimmen: { $people }.
console-rule-not-own = Niemand gibt die eigene Arbeit frei.
console-rule-distinct = Wer { $stages } freigegeben hat, darf hier nicht freigeben.
console-rule-deadline = Nach { $time } ohne Entscheidung: { $then }.
console-rule-return = Eine Ablehnung führt zurück zu { $stages }.
console-rule-rounds = In Runde { $rounds } stattdessen: { $then }.
console-rule-escalation = Kann weitergegeben werden an: { $parties }.
console-rule-answer = Nach { $time } ohne Antwort: { $then }.
console-rule-let-finish = Wird die Aufgabe abgebrochen, dürfen die Prüfer fertig werden; der Partner hat { $time }, um zu sagen, was aus der Arbeit wurde.
console-then-escalate = { $party } muss entscheiden
console-then-reject = die Stufe gilt als abgelehnt
console-then-approve = die Stufe gilt als freigegeben
console-then-fail = die Aufgabe scheitert
console-then-nothing = die Prüfung ist verspätet, sonst geschieht nichts

# Eine Definition prüfen.
console-check = Eine Definition prüfen
console-check-text = Fügen Sie das JSON eines Workflows ein. Es wird geprüft, und nichts wird gespeichert.
console-check-button = Prüfen
console-checked = Keine Fehler
console-checked-mistakes = Fehler: Die Definition hat Fehler
console-mistake-count = { $count ->
    [one] { $count } Fehler
   *[other] { $count } Fehler
}
console-line = Zeile { $line }
console-lines = Was geprüft wurde
console-definition = Definition
console-sound = Diese Definition kann registriert werden:
console-register = Registrieren
console-register-button = Registrieren
console-key-hint = Derselbe Schlüssel ergibt die nächste Version. Laufende Aufgaben behalten ihre.

# Durchspielen.
console-play = Durchspielen
console-play-title = Durchspielen: { $name }
console-play-text = Wählen Sie, was alle tun. Der Dienst wendet genau die Regeln einer echten Aufgabe an; nichts wird gespeichert.
console-play-opened-at = Eröffnet am
console-play-work = Der Partner reicht Arbeit ein
console-play-stage = { $stage }: geprüft durch { $party }
console-play-escalations = Wer nach einer Weitergabe gefragt ist
console-play-does = Tut was
console-play-after = Nach wie vielen Stunden
console-play-button = Durchspielen
console-does-approve = gibt frei
console-does-send-back-once = gibt einmal zurück, dann frei
console-does-send-back = gibt jedes Mal zurück
console-does-nothing = sagt nichts
console-timeline = Was geschieht
console-play-opened = AITasker eröffnet die Aufgabe.
console-play-timer = Eine Frist läuft ab.
console-play-sends = Von { $who }:
console-play-cut = Das Durchspielen hält hier: Es endet nicht von selbst oder ist zu lang.
console-play-api = Dasselbe mit der API
console-refused = Abgelehnt:
console-turn-you = Sie sind an der Reihe.
console-turn-partner = Der Partner arbeitet daran.
console-turn-reviewers = Die Prüfer sind an der Reihe.
console-turn-platform = AITasker entscheidet.
console-turn-nobody = Es ist beendet.

# Webhooks.
console-webhooks = Webhooks
console-webhook-title = Webhook { $id }
console-enabled-title = Eingeschaltet: { $id }
console-activated-title = Das neue Geheimnis gilt: { $id }
console-no-webhooks = Es gibt noch keinen Webhook. Ein Aufruf richtet ihn ein:
console-endpoint = Webhook
console-host = Host
console-type = Art des Ereignisses
console-types = Arten von Ereignissen
console-all-types = alle
console-pending = Wartend
console-oldest = das älteste seit
console-success = Letzter Erfolg
console-no-success = in letzter Zeit keiner
console-endpoint-works = Funktioniert
console-endpoint-failing = Schlägt fehl seit { $since }
console-endpoint-gone = Aus: Er hat 410 geantwortet
console-endpoint-off = Aus: Fünf Tage lang schlug jeder Versuch fehl
console-endpoint-off-text = Ereignisse werden aufgezeichnet und warten, bis er eingeschaltet wird.
console-secrets = Geheimnisse
console-takes-over = ersetzt das andere
console-rotate = Nächstes Geheimnis erzeugen
console-rotate-text = Beide Geheimnisse signieren, bis das nächste gilt, damit Ihr Empfänger ohne Lücke wechseln kann.
console-rotated-title = Erzeugt: das nächste Geheimnis von { $id }
console-rotated-text = Ab jetzt trägt jede Zustellung eine Signatur mit jedem der beiden Geheimnisse. Das neue ersetzt das andere nach einem Tag, oder wenn Sie es in Gebrauch nehmen.
console-activate = Nächstes Geheimnis verwenden
console-activate-text = Erst wenn Ihr Empfänger das nächste Geheimnis hat: Das andere wird gelöscht.
console-stored = Ich habe es gespeichert
console-secret-again = Dieses Formular wurde schon gesendet
console-secret-again-text = Es hat damals gewirkt, und was es zeigte, wird nicht noch einmal gezeigt. Wenn Sie es nicht gespeichert haben, erzeugen Sie ein neues.
console-actions = Was Sie tun können
console-test = Einen Test senden
console-test-text = Ein Muster wird sofort gesendet und signiert wie jede Zustellung. Sonst ändert sich nichts.
console-tested-title = Zugestellt: der Test von { $id }
console-test-failed-title = Nicht zugestellt: der Test von { $id }
console-enable = Einschalten
console-enable-text = Die Fehlschläge werden vergessen, und was wartet, wird sofort gesendet.
console-remove = Diesen Webhook entfernen
console-remove-title = Webhook { $id } entfernen?
console-remove-text = Nichts wird mehr an ihn gesendet, und seine Geheimnisse werden gelöscht. { $pending ->
    [0] Nichts wartet auf ihn.
    [one] { $pending } wartende Zustellung wird aufgegeben.
   *[other] { $pending } wartende Zustellungen werden aufgegeben.
}
console-remove-button = Entfernen

# Zustellungen.
console-deliveries = Zustellungen
console-delivery-title = Zustellung von { $type }
console-resent-title = Erneut gesendet: { $type }
console-resent-all = { $count ->
    [one] Erneut gesendet: { $count } Zustellung
   *[other] Erneut gesendet: { $count } Zustellungen
}
console-delivery-pending = Wartet
console-delivery-delivered = Zugestellt
console-delivery-failed = Gescheitert
console-no-deliveries = Noch wurde nichts gesendet. Jedes Ereignis einer Aufgabe ergibt eine Zustellung für jeden Webhook.
console-no-deliveries-filtered = Keine Zustellung ist so, unter denen, die durchsucht wurden.
console-since-time = Seit
console-event = Ereignis
console-not-shown = nicht gezeigt
console-entry = Eintrag { $seq } ihres Verlaufs
console-attempts = Versuche
console-no-attempts = Es gab noch keinen Versuch.
console-attempts-kept = { $made ->
    [one] Es gab { $made } Versuch.
   *[other] Es gab { $made } Versuche. Die letzten { $kept } werden aufbewahrt.
}
console-last-answer = Letzte Antwort
console-answered = Antwort { $status }
console-took = { $ms } ms
console-next-attempt = nächster Versuch nicht vor
console-answer = Der Anfang der letzten Antwort
console-sent = Was gesendet wird
console-sent-text = Wie ein Versuch es jetzt senden würde. Der Inhalt entsteht bei jedem Versuch neu; was inzwischen gelöscht wurde, fehlt also.
console-hidden-signature = nicht gezeigt
console-resend = Erneut senden
console-resend-pending = Sie wartet auf ihren nächsten Versuch. Erneut gesendet, geht sie sofort hinaus, und ihr Zeitplan beginnt von vorn.
console-resend-since = Gescheiterte erneut senden
console-resend-title = Erneut senden an { $id }
console-failed-since = Alle, die gescheitert sind seit
console-count = Zählen
console-none-failed = Seitdem ist nichts gescheitert.
console-failed-count = { $count ->
    [one] { $count } Zustellung ist seitdem gescheitert.
   *[other] { $count } Zustellungen sind seitdem gescheitert.
}
console-failed-more = Mehr als { $most } Zustellungen sind seitdem gescheitert. Die ersten { $most } werden gesendet, dann wird der Rest erneut gezählt.
console-resend-button = Diese erneut senden

# Personen.
console-people = Personen
console-person = Person
console-person-id = Id der Person
console-person-buyer = Ein Auftraggeber
console-person-erased = Jemand, dessen Daten gelöscht wurden
console-no-links = Noch niemand kam durch einen Link herein. Ein Aufruf erzeugt Links: POST /api/v1/links.
console-no-links-filtered = Kein Link ist so.
console-leads-to = Führt zu
console-openings = Geöffnet
console-open-sessions = Offene Sitzungen
console-expires = Öffnet bis
console-made-by = Erzeugt von
console-may-manage = (darf ändern)
console-link-title = Link von { $name }
console-link-decide = einer Entscheidung
console-link-task = einer Aufgabe
console-link-inbox = dem Eingang
console-link-console = der Konsole
console-link-open = Offen
console-link-expired = Abgelaufen
console-link-decided = Entschieden
console-link-superseded = Überholt durch neuere Arbeit
console-link-withdrawn = Prüfung zurückgezogen
console-link-held = Angehalten
console-link-ended = Beendet
console-sessions = Sitzungen
console-never-opened = Er wurde nie geöffnet.
console-browser = Browser
console-opened = Geöffnet
console-seen = Zuletzt gesehen
console-ends = Endet
console-end = Beenden
console-end-text = Der Link öffnet sich nicht mehr, und seine Sitzungen enden innerhalb von 5 Sekunden.
console-end-all = Alle Links beenden von
console-own-link = Sehen Sie, was ein Prüfer sieht: Erzeugen Sie einen Link zu einer Aufgabe für sich selbst. Er zeigt die Aufgabe und entscheidet nichts.
console-own-link-button = Einen Link für mich erzeugen
console-own-link-title = Erzeugt: ein Link für Sie
console-own-link-text = In diesem Browser ersetzt er Ihre jetzige Sitzung; öffnen Sie ihn also in einem anderen oder in einem privaten Fenster.

# Abwesenheiten.
console-absences = Abwesenheiten
console-absences-text = Solange jemand abwesend ist, darf die Vertretung an dessen Stelle abstimmen. Ohne Vertretung wird auf niemanden gewartet, der abwesend ist, wenn eine Prüfung beginnt.
console-no-absences = Niemand ist abwesend oder wird es demnächst sein.
console-absent-now = jetzt abwesend
console-absent-from = Von
console-absent-until = Bis
console-substitute = Vertretung
console-no-substitute = niemand
console-new-absence = Abwesenheit eintragen
console-absence-from-hint = Leer: ab jetzt.
console-absence-until-hint = Zu diesem Zeitpunkt ist die Person zurück. Eine frühere Abwesenheit derselben Person wird ersetzt.
console-substitute-hint = Die Id einer anderen Person. Leer: niemand. Wer selbst abwesend ist, stimmt für niemanden ab.
console-absence-missing = Dies muss ausgefüllt werden.
console-absence-set = Eintragen
console-absence-end = Ende
console-absence-remove = Entfernen

# API-Schlüssel und Partner.
console-keys = API-Schlüssel
console-keys-list = Alle Schlüssel
console-no-keys = Es gibt keinen Schlüssel. Ohne einen kann niemand die API aufrufen.
console-hint = Beginnt mit
console-label = Bezeichnung
console-scopes = Rechte
console-actors = Personen
console-actors-hint = Ids der einzigen Personen, die Befehle mit dem Schlüssel nennen können, eine je Zeile. Leer: beliebige.
console-anybody = beliebige
console-by-key = durch den Schlüssel
console-valid-until = Gültig bis
console-until-revoked = bis zum Widerruf
console-expires-hint = Leer: bis zum Widerruf. Ein Tag wie 2027-01-15 oder ein Zeitpunkt wie 2027-01-15T08:00:00Z.
console-new-key = Einen Schlüssel erzeugen
console-make-key = Schlüssel erzeugen
console-key-made-title = Erzeugt: Schlüssel { $hint }…
console-key-made-text = Geben Sie ihn Ihrem Programm. Er wird nur als Prüfsumme gespeichert.
console-revoke = Widerrufen
console-revoked = widerrufen
console-revoke-title = Schlüssel { $hint }… widerrufen?
console-revoke-text = Er funktioniert hier sofort und überall innerhalb von 5 Sekunden nicht mehr. Entscheidungen, die mit ihm getroffen wurden, bleiben. Mit ihm enden:
console-ends-keys = { $count ->
    [0] kein anderer Schlüssel
    [one] { $count } Schlüssel, den er erzeugt hat
   *[other] { $count } Schlüssel, die er erzeugt hat
}
console-ends-links = { $count ->
    [0] kein offener Link
    [one] { $count } offener Link
   *[other] { $count } offene Links
}
console-ends-sessions = { $count ->
    [0] keine Sitzung davon
    [one] { $count } Sitzung davon
   *[other] { $count } Sitzungen davon
}
console-ends-all-links = jeder Link, der mit ihm erzeugt wurde, und die Sitzungen dieser Links
console-revoke-button = Widerrufen
console-partners = Partner
console-partner-title = Partner { $name }
console-no-partners = Es gibt noch keinen Partner.
console-add-partner = Einen Partner hinzufügen
console-add-partner-button = Hinzufügen

# Löschungen.
console-erasures = Löschungen
console-no-erasures = Es wurde keine Löschung verlangt.
console-requested = Verlangt
console-progress = Fortschritt
console-finished = fertig
console-erased-person = eine Person: { $party }
console-erasure-pending = Nicht begonnen
console-erasure-running = Sieht Aufgaben durch
console-erasure-waiting = Wartet auf offene Aufgaben
console-erasure-done = Fertig
console-erasure-progress = { $tasks ->
    [one] { $tasks } Aufgabe
   *[other] { $tasks } Aufgaben
} gelöscht, { $waiting } wartend, { $failing } fehlgeschlagen

# Auswertung: Zahlen zu abgeschlossenen Aufgaben.
insights = Auswertung
insights-of = Auswertung: { $name }
insights-wrong-span = Der erste Tag muss vor dem letzten liegen, höchstens 366 Tage davor.
insights-version-hint = Leer: die neueste.
insights-from = Von
insights-from-hint = Ein Tag wie 2027-01-15. Leer: 30 Tage vor dem Ende.
insights-until = Bis
insights-until-hint = Ein Tag wie 2027-02-15, der nicht mehr zählt. Leer: jetzt.
insights-choose-partner = Nennen Sie einen Partner, um die Auswertung seiner Abläufe zu sehen.
insights-no-workflow = Es gibt noch keinen Ablauf, also ist keine Aufgabe abgeschlossen.
insights-sample = { $tasks ->
    [one] { $tasks } Aufgabe wurde in dieser Zeit abgeschlossen.
   *[other] { $tasks } Aufgaben wurden in dieser Zeit abgeschlossen.
}
insights-more = In dieser Zeit wurden mehr Aufgaben abgeschlossen. Gezählt sind nur die letzten 10.000. Mit einer kürzeren Zeit werden alle gezählt.
insights-since = Früher abgeschlossene Aufgaben sind nicht gezählt, und früher eröffnete womöglich zu niedrig:
insights-none = Wählen Sie eine andere Zeit oder Version. Aufgaben zählen, sobald sie abgeschlossen sind.
insights-bottleneck-revisions = { $stage } nimmt { $percent } % der Zeit ein; { $part } davon ist Warten auf Überarbeitungen.
insights-bottleneck-partner = { $stage } nimmt { $percent } % der Zeit ein; { $part } davon ist Warten auf den Partner.
insights-bottleneck-buyer = { $stage } nimmt { $percent } % der Zeit ein; { $part } davon ist Warten auf den Auftraggeber.
insights-bottleneck-platform = { $stage } nimmt { $percent } % der Zeit ein; { $part } davon ist Warten auf AITasker.
insights-half = die Hälfte
insights-almost-all = fast alles
insights-percent = { $number } %
insights-delivery = Zeit bis zur Lieferung
insights-half-and-most = die Hälfte der Aufgaben in { $half }, neun von zehn in { $most }
insights-times = Wie lange jede Stufe dauert
insights-times-of = { $stage }: die Hälfte der Aufgaben in { $half }, neun von zehn in { $most }.
insights-half-of-tasks = Hälfte der Aufgaben
insights-nine-of-ten = Neun von zehn
insights-parties = Wessen Zeit es war, im Mittel
insights-parties-of = { $stage }: Partner { $partner }, Auftraggeber { $buyer }, AITasker { $platform }.
insights-average = Mittel
insights-too-few = zu wenige
insights-decisions = Wie die Stufen entschieden werden
insights-first-pass = Sofort freigegeben
insights-rounds = Runden
insights-rounds-of = { $half } ({ $most })
insights-rejections = Ablehnungen
insights-escalated = Eskaliert
insights-questions = Fragen
insights-sheet = Tabelle herunterladen (CSV)
