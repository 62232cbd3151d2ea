# Die Sicht des Auftraggebers.
untitled = Ihre Aufgabe
error-title = Fehler

# Die eigenen Bezeichnungen des Dienstes.
label-preparing = Die Arbeit wird vorbereitet
label-changes = Änderungen werden vorgenommen
label-buyer-answers = Wartet auf Ihre Antwort
label-buyer-decides = Wartet auf Ihre Entscheidung
label-partner-decides = Der Partner entscheidet
label-platform-decides = AITasker entscheidet
label-held = Angehalten
label-cancelling = Wird abgebrochen
label-delivery = Freigegeben
label-cancelled = Abgebrochen
label-expired = Nicht rechtzeitig fertig geworden
label-failed = Konnte nicht freigegeben werden

# Wer am Zug ist.
turn-you = Sie sind am Zug: Bitte entscheiden Sie.
turn-you-answer = Sie sind am Zug: Bitte antworten Sie.
turn-partner = Der Partner arbeitet daran. Sie müssen nichts tun. Änderungen zeigen wir hier sofort.
turn-reviewers = Die Prüfenden sind am Zug. Sie müssen nichts tun. Änderungen zeigen wir hier sofort.
turn-partner-decides = Der Partner entscheidet. Sie müssen nichts tun. Änderungen zeigen wir hier sofort.
turn-platform = AITasker entscheidet. Sie müssen nichts tun. Änderungen zeigen wir hier sofort.
turn-held = Die Arbeit ruht. Sie müssen nichts tun. Änderungen zeigen wir hier sofort.
turn-cancelling = Die Aufgabe wird abgebrochen. Sie müssen nichts tun.
turn-delivery = Alle Schritte sind freigegeben.
turn-cancelled = Die Aufgabe wurde abgebrochen.
turn-expired = Die Aufgabe wurde nicht bis zum Endtermin fertig.
turn-failed = Die Arbeit konnte nach den Regeln ihres Ablaufs nicht freigegeben werden.

advice-held = Die Frist dieses Schritts ruht, der Endtermin der Aufgabe nicht.
advice-delivery = AITasker übergibt Ihnen nun die Arbeit.
advice-cancelled = Um Ihre Zahlung kümmert sich AITasker. Dort können Sie die Aufgabe erneut einstellen.
advice-expired = Um Ihre Zahlung kümmert sich AITasker. Dort können Sie die Aufgabe erneut einstellen.
advice-failed = Um Ihre Zahlung kümmert sich AITasker. Dort können Sie die Aufgabe erneut einstellen.

late = Es ist überfällig.
late-told = Es ist überfällig. Wer handeln muss, wurde erinnert.
late-short = Überfällig
since = Seit
due = Fällig
eta = Der Partner rechnet mit
progress = Fortschritt
percent = { $percent } % fertig
says-partner = Der Partner schreibt
says-platform = AITasker schreibt
says-you = Sie schrieben

estimate = Von hier aus war die Hälfte solcher Aufgaben innerhalb von { $half } fertig, neun von zehn innerhalb von { $most }. Das beruht auf den zuletzt beendeten Aufgaben dieser Art und ist keine Zusage.
estimate-one = Von hier aus waren neun von zehn solcher Aufgaben innerhalb von { $most } fertig. Das beruht auf den zuletzt beendeten Aufgaben dieser Art und ist keine Zusage.
estimate-over = Das dauert länger als fast jede Aufgabe dieser Art. Wir schätzen nicht weiter.
span-hours = { $count ->
    [one] 1 Stunde
   *[other] { $count } Stunden
}
span-days = { $count ->
    [one] 1 Tag
   *[other] { $count } Tagen
}

# Die Schritte.
steps-title = Schritte
stage-approved = freigegeben
stage-current = { $round ->
    [1] jetzt
   *[other] jetzt, Runde { $round }
}
stage-yours = { $round ->
    [1] jetzt, Ihre Entscheidung
   *[other] jetzt, Ihre Entscheidung, Runde { $round }
}
stage-pending = noch nicht
stage-again = wird erneut entschieden
stage-will-be-yours = später Ihre Entscheidung
stage-ended = hier beendet
panel-approved = genehmigt
panel-open = noch offen
panel-silent = hat nicht entschieden
stage-bound = nur namentlich bekannte Personen entscheiden
stage-overridden = eine andere Partei hat diesen Schritt einmal entschieden

# Worum der Auftraggeber gebeten wird.
ask-review = Bitte sehen Sie sich die Arbeit an und entscheiden Sie
ask-decide = Bitte entscheiden Sie
ask-answer = Bitte beantworten Sie eine Frage
ask-answer-and-review = Bitte beantworten Sie eine Frage, oder entscheiden Sie
asks-partner = Der Partner fragt
asks-platform = AITasker fragt
advice-came = Dieser Rat kam zu Ihnen zurück
please-by = Bitte antworten Sie bis
silence-answer = Wenn Sie bis dahin nicht antworten, geht die Arbeit ohne Ihre Antwort weiter.
silence-approve = Wenn Sie bis dahin nicht antworten, gilt dies als freigegeben.
silence-reject = Wenn Sie bis dahin nicht antworten, gilt dies als zurückgegeben.
silence-escalate = Wenn Sie bis dahin nicht antworten, entscheidet jemand anderes.
silence-fail = Wenn Sie bis dahin nicht antworten, endet die Aufgabe ohne Ergebnis.
silence-none = Wenn Sie bis dahin nicht antworten, bleibt es offen und gilt als überfällig.

work-title = Fassung { $revision }
work-at = Abgegeben
work-open = Öffnen bei
work-digest = Fingerabdruck (SHA-256)
work-elsewhere = Die Dateien liegen nicht bei uns. Die Adressen können ungültig werden.
size-bytes = { $count ->
    [one] 1 Byte
   *[other] { $count } Byte
}

choices-title = Ihre Wahl
choice-approve = Freigeben
choice-reject = Um Änderungen bitten
choice-advise = Nur einen Rat geben
choice-partner = Den Partner entscheiden lassen
choice-platform = AITasker entscheiden lassen
choice-option = Diese Antwort
choice-answer = Mit eigenen Worten antworten
choice-withdraw = Ihre Frage zurücknehmen
choice-cancel = Diese Aufgabe abbrechen

text-changes = Was soll sich ändern?
text-remarks = Anmerkungen (freiwillig)
cause = Grund
cause-choose = Grund wählen
text-question = Was soll entschieden werden?
text-message = Eine Nachricht dazu (freiwillig)
text-advice = Ihr Rat (freiwillig)
text-answer = Ihre Antwort
text-reason = Warum? Der Partner und AITasker lesen dies.

point = Punkt
point-number = Punkt { $number } (freiwillig)
point-severity = Wie wichtig es ist
severity-must = muss
severity-could = kann
point-where = Wo, etwa contract.pdf Seite 3
point-text = Was
point-reopens = Verlangt noch einmal
point-reopens-none = Nichts Früheres
point-more = Weitere Punkte
answered-title = Worum Sie gebeten haben, und die Antworten
answer-done = Erledigt:
answer-declined = Abgelehnt:
answer-none = Noch keine Antwort.
send = Senden

# Wozu eine Wahl führt.
then-delivery = Dies ist der letzte Schritt: Die Aufgabe ist freigegeben, und AITasker übergibt Ihnen die Arbeit.
then-cancelled = Die Aufgabe endet sofort.
then-cancelling = Wer die Arbeit gerade prüft, darf bis { $due } fertig werden. Dann endet die Aufgabe.
then-cancelling-open = Wer die Arbeit gerade prüft, darf fertig werden. Dann endet die Aufgabe.
then-failed = Die Aufgabe endet: Die Arbeit wurde so oft zurückgegeben, wie ihr Ablauf erlaubt.
then-held = Die Arbeit ruht.
then-platform-decides = AITasker entscheidet an Ihrer Stelle.
then-partner-decides = Der Partner entscheidet an Ihrer Stelle.
then-next = Es geht weiter mit { $stage }.
then-back = Es geht zurück zu { $stage }; Ihr Hinweis geht an das Team.
then-answered = Ihre Antwort geht an die, die gefragt haben. Sonst entscheidet sie nichts.
then-question-withdrawn = Niemand muss sie mehr beantworten. Die Arbeit geht weiter wie zuvor.
then-review-goes-on = Die Prüfung geht weiter wie zuvor.
then-counted = Ihre Stimme zählt. Andere müssen ebenfalls abstimmen.

check-title = Bitte prüfen
check-text = Dies lässt sich nicht rückgängig machen.
check-send = Ja, senden
check-change = Ändern

# Was getan wurde.
done-approved = Freigegeben
done-rejected = Um Änderungen gebeten
done-advised = Rat gegeben
done-passed-on = Weitergegeben
done-answered = Beantwortet
done-withdrawn = Frage zurückgenommen
done-stopping = Wird abgebrochen
done-stopped = Abgebrochen
done-sent = Gesendet
done-text = Wir haben es aufgezeichnet. Hier lässt es sich nicht zurücknehmen; war es ein Versehen, schreiben Sie sofort an AITasker. Diese Seite zeigt, was weiter geschieht.

stop-title = Diese Aufgabe abbrechen
stop-payment = Um Ihre Zahlung kümmert sich AITasker, nicht diese Seite.
stop-button = Diese Aufgabe abbrechen

# Fehler in Formularen.
mistakes-title = Noch wurde nichts gesendet
mistake-choice = Wählen Sie eine der Antworten.
mistake-text = Schreiben Sie einige Worte.
mistake-reason = Schreiben Sie, warum die Aufgabe enden soll.
mistake-long = Verwenden Sie höchstens { $limit } Zeichen.
mistake-point = Schreiben Sie, was sich dort ändern soll, oder leeren Sie die Stelle.
mistake-characters = Entfernen Sie unsichtbare Zeichen und Steuerzeichen.
mistake-form = Das Formular passt nicht zu dieser Wahl. Öffnen Sie die Seite erneut und senden Sie es von dort.
mistake-cause = Wählen Sie einen Grund.
mistake-item = Dieser Punkt kann nicht mehr genannt werden. Wählen Sie einen anderen.

# Warum etwas nicht angenommen wurde.
conflict-title = Nicht gesendet
conflict-title-decided = Bereits entschieden
conflict-title-newer = Es gibt eine neuere Fassung
conflict-title-ended = Die Aufgabe endet
conflict-decided = Dies war bereits entschieden. Ihre Entscheidung zählte nicht.
conflict-decided-by-others = Jemand anderes hat dies am { $at } entschieden, bevor Ihre Entscheidung ankam. Ihre zählte nicht.
conflict-decided-by-you = Sie haben dies bereits am { $at } entschieden.
conflict-decided-by-time = Die Zeit dafür war am { $at } vorbei. Ihre Entscheidung zählte nicht.
conflict-newer = Während Sie lasen, kam eine neuere Fassung. Nichts wurde gesendet. Sehen Sie sie an; Ihr Text ist noch da.
conflict-moved = Die Aufgabe ging weiter, während Sie lasen. Nichts wurde gesendet.
conflict-question = Diese Frage ist abgeschlossen. Nichts wurde gesendet.
conflict-question-answered = Jemand hat diese Frage vorher beantwortet. Ihre Antwort zählte nicht.
conflict-question-lapsed = Die Zeit für diese Antwort ist vorbei. Nichts wurde gesendet.
conflict-cancelling = Die Aufgabe wird abgebrochen, deshalb zählt dies nicht mehr.
conflict-closed = Die Aufgabe ist beendet, deshalb zählt dies nicht mehr.
conflict-redirects = Dies wurde so oft weitergegeben, wie es darf. Bitte entscheiden Sie selbst.
conflict-nothing-to-return = Es gibt keine Prüfung, an die der Rat gehen könnte. Bitte entscheiden Sie selbst.
conflict-voted = Sie haben dies bereits genauso entschieden. Mehr ist nicht nötig.
conflict-sent-before = Dieses Formular wurde schon mit anderen Worten gesendet. Mehr wurde nicht gesendet.
conflict-limit = Eine Grenze dieser Aufgabe ist erreicht. Nichts wurde gesendet.
conflict-not-allowed = Dies ist mit Ihrem Link nicht möglich.
conflict-recorded = Es steht als verspätete Entscheidung in der Aufzeichnung (Nr. { $seq }).

# Was geschah.
history-title = Was geschah ({ $count })
history-earlier = Frühere Einträge stehen im Nachweis.
history-hidden = { $count ->
    [one] 1 Eintrag, der Ihnen nicht gezeigt wird
   *[other] { $count } Einträge, die Ihnen nicht gezeigt werden
}
history-opened = AITasker hat die Aufgabe eröffnet.
history-submitted = Fassung { $revision } wurde für { $stage } abgegeben.
history-updated = Der Partner hat Ihnen vom Fortschritt berichtet.
history-reviewers = Es prüfen nun andere Personen { $stage }.
history-entered = { $stage } begann.
history-entered-again = { $stage } begann erneut, Runde { $round }.
history-returned = Zurück bei { $stage }, Runde { $round }.
history-you-voted-for = Sie haben { $stage } freigegeben.
history-you-voted-against = Sie haben bei { $stage } um Änderungen gebeten.
history-you-approved = { $stage } wurde durch Ihre Entscheidung freigegeben.
history-silence-approved = { $stage } galt als freigegeben, weil niemand rechtzeitig entschied.
history-approved = { $stage } wurde freigegeben.
history-late = Ihre Entscheidung kam zu spät und zählt nicht.
history-exhausted = { $stage } wurde so oft zurückgegeben, wie der Ablauf erlaubt.
history-you-rejected = { $stage } wurde durch Ihre Entscheidung an { $to } zurückgegeben.
history-silence-rejected = { $stage } wurde an { $to } zurückgegeben, weil niemand rechtzeitig entschied.
history-rejected = { $stage } wurde an { $to } zurückgegeben.
history-escalated-buyer = Sie wurden gebeten, { $stage } zu entscheiden.
history-escalated-partner = Der Partner wurde gebeten, { $stage } zu entscheiden.
history-escalated-platform = AITasker wurde gebeten, { $stage } zu entscheiden.
history-you-resolved-approve = Sie haben { $stage } freigegeben.
history-resolved-approve = Die gefragte Partei hat { $stage } freigegeben.
history-you-resolved-reject = Sie haben bei { $stage } um Änderungen gebeten.
history-resolved-reject = Die gefragte Partei hat { $stage } zurückgegeben.
history-you-resolved-return = Sie haben einen Rat gegeben, und die Prüfung von { $stage } ging weiter.
history-resolved-return = Es gab einen Rat, und die Prüfung von { $stage } ging weiter.
history-you-resolved-redirect = Sie haben die Entscheidung weitergegeben.
history-resolved-redirect = Die Entscheidung wurde weitergegeben.
history-asked-buyer = Ihnen wurde eine Frage gestellt.
history-asked-partner = Dem Partner wurde eine Frage gestellt.
history-asked-platform = AITasker wurde eine Frage gestellt.
history-you-answered = Sie haben geantwortet.
history-answered = Die Frage wurde beantwortet.
history-question-withdrawn = Die Frage wurde zurückgenommen.
history-question-lapsed = Die Frage wurde nicht rechtzeitig beantwortet.
history-question-overtaken = Die Frage hat sich erledigt.
history-reminded = Es wurde erinnert: { $stage } ist bald fällig.
history-overdue = Die Zeit für { $stage } war vorbei.
history-overdue-escalation = Die Zeit für die Entscheidung über { $stage } war vorbei.
history-held = Die Arbeit wurde angehalten.
history-resumed = Die Arbeit ging weiter.
history-you-cancelled = Sie haben den Abbruch verlangt.
history-platform-cancelled = AITasker hat den Abbruch verlangt.
history-partner-cancelled = Der Partner hat den Abbruch verlangt.
history-withdrawn = Die Prüfung endete ohne Entscheidung, weil die Aufgabe endete.
history-completed = Alle Schritte sind freigegeben.
history-cancelled = Die Aufgabe wurde abgebrochen.
history-expired = Die Aufgabe wurde nicht bis zum Endtermin fertig.
history-failed = Die Aufgabe endete ohne Ergebnis.
history-erased = Persönliche Daten einer Person wurden entfernt.
embed-failed = Nicht gesendet, und nichts wurde entschieden. Laden Sie die Seite neu und versuchen Sie es noch einmal.
proof = Nachweis herunterladen
printed = Gedruckt am { $at } von { $address }. Der letzte Eintrag der Aufzeichnung hat den Hash { $hash }.
proof-text = Die Datei zeigt, dass niemand die Geschichte nachträglich geändert hat. So prüfen Sie sie ohne uns:

# Die Liste.
tasks-title = Ihre Aufgaben
tasks-waiting = Warten auf Sie
tasks-others = Alle anderen
tasks-none = Sie haben noch keine Aufgaben. Was Sie auf AITasker einstellen, erscheint hier.
tasks-more = Weitere
