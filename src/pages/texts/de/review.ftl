# Der Platz der Prüfenden: der Eingang.
inbox-title = Eingang
inbox-waiting = { $count ->
    [0] Nichts wartet auf Sie.
    [one] Eine Aufgabe wartet auf Sie.
   *[other] { $count } Aufgaben warten auf Sie.
}
inbox-waiting-all = { $count ->
    [0] Nichts wartet auf Sie oder andere aus Ihrem Team.
    [one] Eine Aufgabe wartet auf Sie oder andere aus Ihrem Team.
   *[other] { $count } Aufgaben warten auf Sie oder andere aus Ihrem Team.
}
inbox-matching = { $count ->
    [0] Keine Aufgabe passt zum Filter.
    [one] Eine Aufgabe passt zum Filter.
   *[other] { $count } Aufgaben passen zum Filter.
}
inbox-part = { $count ->
    [0] Auf dieser Seite ist keine Aufgabe für Sie. Weitere folgen.
    [one] Diese Seite hat eine Aufgabe.
   *[other] Diese Seite hat { $count } Aufgaben.
}
inbox-others = { $more ->
    [0] { $others ->
        [one] Eine weitere wartet auf andere aus Ihrem Team.
       *[other] { $others } weitere warten auf andere aus Ihrem Team.
    }
   *[other] Mehr als { $others } weitere warten auf andere aus Ihrem Team.
}
inbox-show-others = Auch diese zeigen
inbox-news = { $new ->
    [one] Eine ist neu.
   *[other] { $new } sind neu.
}
inbox-overdue = Überfällig
inbox-today = Heute fällig
inbox-later = Später
inbox-no-date = Ohne Termin
inbox-votes = { $against ->
    [0] { $have } von { $want } Zustimmungen
    [one] { $have } von { $want } Zustimmungen, eine Ablehnung
   *[other] { $have } von { $want } Zustimmungen, { $against } Ablehnungen
}
inbox-question = hat eine Frage
inbox-asked = bittet Sie um eine Entscheidung
inbox-preparing = Arbeit wird erwartet
inbox-held = angehalten
inbox-cancelling = wird abgebrochen
inbox-came-back = kam zurück
inbox-unreadable = Diese Aufgabe kann im Moment nicht gezeigt werden.
inbox-filter = Filter
inbox-stage = Stufe
inbox-workflow = Ablauf
inbox-any = Beliebig
inbox-only-overdue = Nur Überfälliges
inbox-also-others = Auch, was andere aus meinem Team tun müssen
inbox-show = Zeigen
inbox-clear = Alles zeigen
inbox-empty = Nichts wartet auf Sie. Neue Aufgaben erscheinen hier, sobald sie kommen.
inbox-empty-filter = Hier passt nichts zum Filter.
inbox-more = Mehr
inbox-keys = Tasten
inbox-key-move = nächste und vorige Aufgabe
inbox-key-open = Aufgabe öffnen
inbox-key-back = zurück zum Eingang
inbox-key-filter = Filter
inbox-key-help = diese Liste
inbox-keys-on = Diese Tasten benutzen. Keine von ihnen entscheidet etwas.

# Der Platz: wo die Aufgabe steht.
review-back = Zurück zum Eingang
review-untitled = Aufgabe ohne Titel
review-place = { $stage } · Runde { $round } · Fassung { $revision }
review-due-by = Fällig
review-was-due = Fällig war dies
review-service = der Dienst
review-by-partner = vom Partner
review-by-platform = von AITasker
review-by-buyer = vom Auftraggeber
review-turn-yours = Ihre Seite ist an der Reihe.
review-turn-partner = Der Partner arbeitet daran.
review-turn-platform = AITasker entscheidet.
review-turn-buyer = Der Auftraggeber ist an der Reihe.
review-turn-delivered = Jede Stufe ist genehmigt, und die Arbeit wurde übergeben.
review-turn-cancelled = Die Aufgabe wurde abgebrochen.
review-turn-expired = Die Zeit der Aufgabe ist abgelaufen.
review-turn-failed = Die Aufgabe endete ohne Übergabe.
review-turn-cancelling = Die Aufgabe wird abgebrochen.
review-turn-held = Die Aufgabe ist angehalten.
review-votes-none = { $want ->
    [one] Noch niemand hat zugestimmt. Eine Zustimmung ist nötig.
   *[other] Noch niemand hat zugestimmt. { $want } Zustimmungen sind nötig.
}
review-votes = { $have } von { $want } Zustimmungen, von { $who }.
review-votes-more = { $more ->
    [0] Weitere sind nicht nötig.
    [one] Eine weitere ist nötig.
   *[other] { $more } weitere sind nötig.
}
review-votes-may = Zustimmen dürfen: { $who }.
review-objections = { $have } von { $want } Ablehnungen, von { $who }.
review-panels = { $have } von { $want } Gremien haben zugestimmt.
review-panel = Gremium
review-panel-state = Stand
review-panel-people = Wer darin sitzt
review-panel-approved = Zugestimmt, mit { $have } von { $want } Zustimmungen.
review-panel-open = Offen, mit { $have } von { $want } Zustimmungen.
review-panel-against = { $have } von { $want } Ablehnungen.
review-seat-approved = { $who } (zugestimmt)
review-seat-rejected = { $who } (abgelehnt)
review-seat-open = { $who }
review-seat-barred = { $who } (darf nur ablehnen)
review-for = { $who } für { $holder }
review-absent = { $who } ist abwesend bis
review-stands-in = Vertretung: { $who }.
review-nobody-stands-in = Niemand vertritt.
review-asked-by-partner = Der Partner bittet um eine Entscheidung durch: { $party }.
review-asked-by-platform = AITasker bittet um eine Entscheidung durch: { $party }.
review-asked-by-buyer = Der Auftraggeber bittet um eine Entscheidung durch: { $party }.
review-asked-by-deadline = Die Frist der Stufe ist vorbei. Nun entscheidet { $party }.
review-asked-by-rounds = Die Runden der Stufe sind aufgebraucht. Nun entscheidet { $party }.
review-asked-by-quorum = Zu wenige der benannten Prüfenden dürfen zustimmen. Nun entscheidet { $party }.
review-advice-came = Rat für die Prüfenden:
review-question-by = { $who } fragt; Antwort erbeten von: { $party }.
review-question-from = Eine Frage. Von: { $from }. Antwort erbeten von: { $party }.
review-held = Die Aufgabe wurde { $party } angehalten:
review-cancelling = Der Abbruch wurde { $party } verlangt:

# Was zurückkam, und die Arbeit.
review-came-back = Das kam zurück
review-came-back-from = Aus { $stage }, Runde { $round },
review-ticks = Ihre Häkchen bleiben in diesem Browser. Niemand sonst sieht sie.
review-work = Arbeit, Fassung { $revision }
review-by = von
review-compared = Verglichen mit Fassung { $revision }:
review-compare-with = Vergleichen mit
review-revision = Fassung { $revision }
review-same = gleich
review-changed = geändert
review-new = neu
review-gone = entfallen
review-renamed = umbenannt, vorher { $from }
review-open = Öffnen bei
review-digest = SHA-256
review-references = Nur Namen und Prüfsummen werden verglichen. Die Dateien liegen anderswo, und ihre Adressen können veralten.

# Die Entscheidung.
review-decide = Entscheiden
review-act-as = Sie handeln als
review-you-stand-in = Sie entscheiden für
review-your-decision = Ihre Entscheidung
review-approve = Zustimmen
review-send-back = Zurückgeben
review-escalate = Andere entscheiden lassen
review-return = Rat geben
review-redirect = Weitergeben
review-ask = Eine Frage stellen
review-answer = Die Frage beantworten
review-withdraw = Die Frage zurücknehmen
review-hand-in = Arbeit abgeben
review-inform = Dem Auftraggeber den Stand mitteilen
review-reviewers = Ändern, wer prüft
review-hold = Die Aufgabe anhalten
review-resume = Die Aufgabe fortsetzen
review-cancel = Die Aufgabe abbrechen
review-acknowledge = Sagen, was aus der Arbeit wurde
review-return-to = Zurück an
review-return-differs = { $named } (geht an { $stage }, wegen einer früheren Stimme)
review-escalate-to = Wer entscheidet
review-redirect-to = Wer stattdessen entscheidet
review-ask-to = Wen Sie fragen
review-summary = Was sich ändern muss
review-cause = Grund
review-cause-choose = Grund wählen
review-praise = Anmerkungen, die nichts aufhalten (freiwillig)
review-praise-share = Der Auftraggeber darf die Anmerkungen lesen
review-point = Punkt { $number }
review-point-script = Punkt
review-point-severity = Wie wichtig: must, could (hält nichts auf) oder Ihr eigenes Wort
review-point-where = Wo
review-point-where-hint = etwa contract.pdf#page=3
review-point-text = Was
review-point-reopens = Nimmt wieder auf
review-point-reopens-none = Keinen früheren Punkt
review-point-more = Punkt hinzufügen
review-point-up = Nach oben
review-point-down = Nach unten
review-point-remove = Entfernen
review-share = Der Auftraggeber darf dies lesen
review-preview = Zeigen, was der Auftraggeber lesen würde
review-preview-text = Wenn Sie es freigeben, liest der Auftraggeber dies:
review-escalate-question = Was zu entscheiden ist
review-advice = Rat für die Prüfenden
review-message = Nachricht an die, die stattdessen entscheiden
review-note = Notiz für Ihre eigenen Leute
review-note-add = Notiz für Ihre eigenen Leute hinzufügen
review-note-hint-partner = Ihre Organisation und AITasker können sie lesen, der Auftraggeber nicht.
review-note-hint-platform = Nur AITasker kann sie lesen.
review-question = Frage
review-options = Vorgeschlagene Antworten
review-options-hint = Eine je Zeile, höchstens 10.
review-answers = Vorgeschlagene Antworten
review-answer-text = Antwort in eigenen Worten
review-work-summary = Die Arbeit in Kürze
review-replies-hint = Sagen Sie zu jedem Punkt, was daraus geworden ist. Ein abgelehnter Punkt braucht eine Begründung.
review-reply-to = Punkt { $item }
review-reply-required = braucht eine Antwort
review-reply-how = Was daraus geworden ist
review-reply-none = Keine Antwort
review-reply-words = Ihre Antwort in Worten
review-done = Erledigt
review-declined = Abgelehnt
review-pieces-hint = Jede Datei wird mit ihrer Adresse und ihrem SHA-256 genannt. Die Datei selbst bleibt, wo sie ist.
review-piece = Datei { $number }
review-piece-script = Datei
review-piece-name = Name
review-piece-url = Adresse (https)
review-piece-digest = SHA-256, 64 Ziffern
review-piece-more = Eine Datei hinzufügen
review-progress = Was der Auftraggeber liest
review-percent = Wie viel fertig ist, in Prozent
review-place-of-reviewers = Wessen Prüfende sich ändern
review-leave = Wer nicht mehr prüft
review-come = Wer von nun an prüft
review-come-hint = Die Kennungen der Personen, eine je Zeile. Es gilt nur für diese Aufgabe.
review-people-reason = Warum; Ihre eigenen Leute und AITasker lesen es
review-hold-reason = Warum; alle lesen es
review-cancel-reason = Warum; alle lesen es
review-at-once = Sofort, was auch immer die Stufe über laufende Arbeit sagt
review-in-flight = Was aus der Arbeit wurde
review-discarded = Sie wurde verworfen
review-salvaged = Ein Teil ist brauchbar; die Dateien unten
review-remarks = Anmerkungen; der Auftraggeber liest sie nicht
review-counter = { "{used}" } von { "{limit}" } Zeichen
review-no-undo = Eine Entscheidung kann nicht zurückgenommen werden.
review-claimed = Liegt bei { $who } bis
review-claimed-own = Liegt bei Ihnen bis
review-claim = Ich übernehme für eine Stunde
review-claim-over = Ich löse ab für eine Stunde
review-claim-back = Wieder abgeben
review-claim-hint = Ihr Team sieht, wer entscheidet. Wer entscheiden konnte, kann es weiterhin.
review-claim-taken = { $who } war schneller und hat die Aufgabe jetzt. Sie können trotzdem entscheiden oder ablösen.
review-claim-void = Hier gibt es nichts mehr, was Sie entscheiden könnten.
review-send = Entscheidung senden
review-keep = Meinen Entwurf auf diesem Gerät behalten, wenn ich den Browser schließe
review-draft = Entwurf von { "{time}" } wiederhergestellt.
review-discard = Verwerfen
review-copy = Kopieren
review-not-for-you = Was Sie hier nicht wählen können
review-too-many = Sie haben in kurzer Zeit sehr viele Formulare gesendet. Nichts wurde gesendet. Warten Sie { $seconds } Sekunden und versuchen Sie es dann erneut.
review-error = Fehler
review-mistakes = Bitte prüfen Sie dies
review-mistake-choice = Wählen Sie, wie Sie entscheiden.
review-mistake-form = Das Formular ist nicht lesbar. Öffnen Sie die Seite erneut und senden Sie es von dort.
review-mistake-required = Bitte schreiben Sie hier etwas.
review-mistake-long = Dieser Text ist zu lang. Bitte kürzen Sie ihn.
review-mistake-many = Das sind zu viele. Bitte senden Sie weniger.
review-mistake-select = Dies kann hier nicht gewählt werden. Bitte wählen Sie etwas anderes.
review-mistake-nobody = Bitte sagen Sie, wer dazukommt, oder wählen Sie, wer geht.
review-mistake-elsewhere = Bitte wählen Sie nur Personen der Stufe, die Sie oben gewählt haben.
review-mistake-quorum = Zu wenige könnten diese Stufe noch entscheiden. Lassen Sie auch andere dazukommen oder weniger gehen.
review-mistake-come = Jemand in dieser Liste darf in dieser Stufe schon abstimmen oder steht zweimal da.
review-mistake-leave = Jemand, den Sie gewählt haben, prüft hier nicht mehr. Bitte wählen Sie noch einmal.
review-mistake-unanswered = Dieser Punkt braucht eine Antwort. Bitte wählen Sie, was daraus geworden ist.
review-mistake-declined = Bitte begründen Sie, warum Sie diesen Punkt ablehnen.
review-mistake-item = Dieser Punkt kann nicht mehr genannt werden. Bitte wählen Sie einen anderen.
review-mistake-options = Vorgeschlagene Antworten müssen verschieden und kurz sein, höchstens 10.
review-mistake-percent = Bitte eine ganze Zahl von 0 bis 100 eingeben.
review-mistake-url = Bitte eine Adresse eingeben, die mit https:// beginnt, ohne Benutzernamen.
review-mistake-digest = Bitte die 64 Ziffern des SHA-256 eingeben, mit kleinen Buchstaben.
review-mistake-characters = Dieser Text hat Zeichen, die nicht gespeichert werden können. Bitte schreiben Sie ihn neu.
review-kept = Die Aufgabe hat sich geändert, und dafür gibt es kein Formular mehr.
review-your-words = Was Sie geschrieben haben

# Was eine Wahl bewirkt.
review-will-deliver = Schließt die letzte Stufe ab. Die Arbeit geht in die Übergabe.
review-will-advance = Schließt diese Stufe ab. Die nächste ist { $stage }.
review-will-return = Geht zurück an { $stage }.
review-will-approve = Zählt als eine Zustimmung. Weitere sind nötig.
review-will-object = Zählt als eine Ablehnung. Weitere sind nötig, bevor es zurückgeht.
review-will-escalate = Bittet um eine Entscheidung durch: { $party }. Bis dahin zählt keine Stimme.
review-will-exhaust = Die Runden dieser Stufe sind aufgebraucht; deshalb entscheidet { $party }.
review-will-lack-reviewers = In der folgenden Stufe dürfen zu wenige zustimmen; deshalb entscheidet { $party }.
review-will-resume = Die Prüfung geht weiter wie zuvor, mit Ihrem Rat.
review-will-ask = Die Frage geht an: { $party }. Die Zeit der Prüfenden steht still, bis geantwortet wird.
review-will-answer = Die Arbeit geht mit Ihrer Antwort weiter.
review-will-withdraw = Die Arbeit geht ohne Antwort weiter.
review-will-end = Die Aufgabe endet ohne Übergabe.
review-will-wind-down = Die Aufgabe wird abgebrochen, sobald beendet ist, was gerade läuft.
review-will-submit = Geht als neue Fassung an die Prüfenden.
review-will-inform = Der Auftraggeber liest es auf der Seite der Aufgabe.
review-will-staff = Ändert, wer in dieser Aufgabe abstimmen darf. Die Stimmen derer, die gehen, zählen nicht mehr. Reichen die übrigen Stimmen, so entscheiden sie.
review-will-hold = Hält die Uhr dieser Stufe an. Der letzte Termin der Aufgabe bleibt.
review-will-go-on = Die Uhr dieser Stufe läuft weiter, wo sie stand.
review-will-change = Wird aufgezeichnet.
review-did-deliver = Genehmigt: geht in die Übergabe
review-did-advance = Genehmigt: als Nächstes { $stage }
review-did-return = Zurückgegeben an { $stage }
review-did-approve = Ihre Zustimmung zählt
review-did-object = Ihre Ablehnung zählt
review-did-escalate = Weitergegeben, es entscheidet { $party }
review-did-exhaust = Abgelehnt: nun entscheidet { $party }
review-did-lack-reviewers = Entschieden: nun entscheidet { $party }
review-did-resume = Ihr Rat wurde gegeben
review-did-ask = Gefragt: { $party }
review-did-answer = Ihre Antwort wurde gesendet
review-did-withdraw = Die Frage wurde zurückgenommen
review-did-end = Die Aufgabe ist beendet
review-did-wind-down = Die Aufgabe wird abgebrochen
review-did-submit = Ihre Arbeit wurde abgegeben
review-did-inform = Der Auftraggeber liest es jetzt
review-did-staff = Die Prüfenden wurden geändert
review-did-hold = Die Aufgabe ist angehalten
review-did-go-on = Die Aufgabe geht weiter
review-did-change = Aufgezeichnet
review-recorded = Es steht als Eintrag { $seq } im Verlauf, und alle Betroffenen sehen es jetzt.
review-next = Als Nächstes für Sie:
review-receipt = Beleg herunterladen
review-see-task = Zur Aufgabe
review-can-close = Sie können diese Seite schließen.

# Warum jemand etwas nicht wählen kann.
review-why-other-party = Das ist Sache einer anderen Partei.
review-why-link = Ihr Link ist nicht dafür.
review-why-other-person = Ihre Sitzung gehört einer anderen Person.
review-why-unbound = In dieser Stufe zählen nur Entscheidungen unter einem Schlüssel oder Link einer einzelnen Person.
review-why-not-named = Sie gehören nicht zu den Prüfenden dieser Stufe.
review-why-fixed = Der Ablauf lässt nicht zu, dass sich die Prüfenden dieser Stufe ändern.
review-why-own-work = Sie haben diese Fassung eingereicht; deshalb muss jemand anders zustimmen. Zurückgeben können Sie sie.
review-why-not-distinct = Ihre Zustimmung zählte in einer früheren Stufe, und diese braucht die einer anderen Person. Zurückgeben können Sie sie.
review-why-phase = Das ist im Moment nicht möglich.
review-why-one-vote = Ihre Zustimmung wäre eine Stimme, und das reicht hier nicht.
review-why-second-person = AITasker hat selbst in Ihrem Namen oder unter Ihrem Schlüssel darum gebeten; deshalb muss eine andere Person zustimmen oder ablehnen.
review-why-voted = Diese Stimme haben Sie schon abgegeben.
review-why-question-open = Eine andere Frage ist offen. Es kann nur eine zugleich geben.
review-why-question-closed = Diese Frage ist geschlossen.
review-why-no-review = Es gibt keine Prüfung, zu der es zurückgehen könnte.
review-why-redirected = Es wurde so oft weitergegeben, wie es möglich ist.
review-why-cancelling = Die Aufgabe wird abgebrochen.
review-why-closed = Die Aufgabe ist beendet.
review-why-limit = Eine Grenze dieser Aufgabe ist erreicht.
review-why-not-now = Das ist jetzt nicht möglich.

# Warum nichts zu entscheiden ist.
review-link-decided = Dies ist entschieden. Für Sie bleibt nichts zu tun.
review-link-superseded = Es gibt eine neuere Arbeit. Dafür wird ein neuer Link gebraucht.
review-link-withdrawn = Die Prüfung wurde zurückgezogen. Danke für Ihre Zeit.
review-link-held = Im Moment kann nichts entschieden werden. Ihr Link wirkt wieder, wenn die Arbeit weitergeht.
review-link-ended = Ihr Link ist beendet. Bitten Sie den Absender um einen neuen.
review-nothing-preparing = Arbeit wird erwartet. Noch gibt es nichts zu entscheiden.
review-nothing-held = Die Aufgabe ist angehalten. Bis sie weitergeht, kann nichts entschieden werden.
review-nothing-cancelling = Die Aufgabe wird abgebrochen. Entscheidungen zählen nicht mehr.
review-nothing-closed = Die Aufgabe ist beendet. Es gibt nichts mehr zu entscheiden.

# Wenn jemand schneller war.
review-newer-title = Es gibt eine neuere Arbeit
review-newer-work = Fassung { $revision } kam am { $when }, während Sie Fassung { $earlier } lasen. Nichts wurde gesendet. Im Formular steht, was Sie geschrieben haben; es gilt nun für Fassung { $revision }.
review-see-changes = Zeigen, was sich geändert hat
review-conflict-decided = Schon entschieden
review-conflict-decided-text = Dies wurde entschieden, bevor Ihre Entscheidung ankam. Ihre zählte nicht.
review-conflict-approved-by = Zugestimmt hat { $who } am { $when }, bevor Ihre Entscheidung ankam. Ihre zählte nicht.
review-conflict-rejected-by = Zurückgegeben hat dies { $who } am { $when }, bevor Ihre Entscheidung ankam. Ihre zählte nicht.
review-conflict-approved-by-time = Die Frist war vorbei, und dies wurde am { $when } genehmigt, bevor Ihre Entscheidung ankam. Ihre zählte nicht.
review-conflict-rejected-by-time = Die Frist war vorbei, und dies wurde am { $when } zurückgegeben, bevor Ihre Entscheidung ankam. Ihre zählte nicht.
review-conflict-kept = Sie steht als späte Entscheidung im Verlauf, Eintrag { $seq }.
review-conflict-voted = Sie haben schon abgestimmt
review-conflict-voted-text = Dieselbe Stimme von Ihnen ist Eintrag { $seq } im Verlauf. Mehr ist nicht nötig.
review-conflict-held = Die Aufgabe ist angehalten
review-conflict-held-text = Sie wurde { $party } angehalten, aus diesem Grund: { $reason } Nichts wurde entschieden.
review-conflict-cancelling = Die Aufgabe wird abgebrochen
review-conflict-cancelling-text = Das wurde { $party } verlangt, aus diesem Grund: { $reason } Entscheidungen zählen nicht mehr.
review-conflict-closed = Die Aufgabe ist beendet
review-conflict-closed-text = Sie endete, bevor Ihr Formular ankam. Es hat keine Wirkung.
review-conflict-moved = Die Aufgabe ist weitergegangen
review-conflict-moved-text = Sie war an anderer Stelle, als Ihr Formular ankam. Nichts wurde gesendet.
review-conflict-escalation = Diese Bitte ist nicht mehr offen
review-conflict-escalation-text = Worauf Sie antworteten, wurde entschieden oder weitergegeben, bevor Ihr Formular ankam. Nichts wurde gesendet.
review-conflict-question = Diese Frage ist geschlossen
review-conflict-question-text = Sie wurde geschlossen, bevor Ihr Formular ankam. Nichts wurde gesendet.
review-conflict-answered = Geantwortet hat { $who } am { $when }, bevor Ihr Formular ankam. Ihre Antwort wurde nicht gesendet.
review-conflict-question-withdrawn = Sie wurde zurückgenommen, bevor Ihr Formular ankam. Nichts wurde gesendet.
review-conflict-question-lapsed = Ihre Zeit war vorbei, bevor Ihr Formular ankam. Nichts wurde gesendet.
review-conflict-question-open = Eine andere Frage ist offen
review-conflict-question-open-text = Es kann nur eine Frage zugleich geben. Nichts wurde gesendet.
review-conflict-reused = Dieses Formular wurde schon gesendet
review-conflict-reused-text = Es wurde von dieser Seite mit anderen Worten gesendet, und diese gelten. Öffnen Sie die Aufgabe, um zu sehen, was aufgezeichnet wurde. Jetzt wurde nichts gesendet.
review-conflict-limit = Eine Grenze ist erreicht
review-conflict-limit-text = Diese Aufgabe hat so viele Einträge dieser Art, wie sie haben darf. Nichts wurde gesendet.
review-conflict-not-allowed = Dies wurde nicht angenommen

# Was geschah, wessen Zeit es war, der Ablauf.
review-history = Was geschah ({ $count })
review-hidden = { $count ->
    [one] Ein Eintrag wird Ihnen nicht gezeigt.
   *[other] { $count } Einträge werden Ihnen nicht gezeigt.
}
review-older = Ältere Einträge
review-event-opened = hat die Aufgabe eröffnet
review-event-submitted = hat Fassung { $revision } eingereicht
review-event-status = hat dem Auftraggeber vom Fortschritt berichtet
review-event-approved = hat für { $stage } zugestimmt
review-event-objected = will { $stage } zurückgeben
review-event-entered = { $stage } beginnt
review-event-stage-approved = { $stage } ist genehmigt
review-event-stage-rejected = { $stage } ist abgelehnt
review-event-escalated = hat um eine Entscheidung gebeten, durch: { $party }
review-event-resolved-approve = hat entschieden zuzustimmen
review-event-resolved-reject = hat entschieden zurückzugeben
review-event-resolved-return = hat den Prüfenden Rat gegeben
review-event-resolved-redirect = hat die Entscheidung weitergegeben, an: { $party }
review-event-asked = hat eine Frage gestellt, an: { $party }
review-event-answered = hat die Frage beantwortet
review-event-question-withdrawn = hat die Frage zurückgenommen
review-event-question-lapsed = die Zeit für die Antwort ist vorbei
review-event-question-overtaken = die Frage ist geschlossen, weil die Aufgabe weiterging
review-event-reminded = hat an die Frist erinnert
review-event-late = die Frist ist vorbei
review-event-reviewers = hat geändert, wer { $stage } prüft
review-event-came = neu: { $who }
review-event-went = nicht mehr: { $who }
review-event-held = hat die Aufgabe angehalten
review-event-resumed = hat die Aufgabe weitergehen lassen
review-event-cancelled-by = hat den Abbruch verlangt
review-event-review-withdrawn = die Prüfung wurde zurückgezogen
review-event-acknowledged = hat gesagt, was aus der Arbeit wurde
review-event-late-decision = hat zu spät entschieden; es zählt nicht
review-event-completed = jede Stufe ist genehmigt
review-event-cancelled = die Aufgabe ist abgebrochen
review-event-expired = die Zeit der Aufgabe ist abgelaufen
review-event-failed = die Aufgabe endete ohne Übergabe
review-event-erased = personenbezogene Daten einer Person wurden gelöscht
review-event-other = { $type }
review-spent = Wessen Zeit es war
review-spent-stage = Stufe
review-spent-party = Gewartet auf
review-spent-time = Zeit
review-spent-held = Davon angehalten
review-minutes = { $minutes ->
    [one] eine Minute
   *[other] { $minutes } Minuten
}
review-hours = { $hours ->
    [one] eine Stunde
   *[other] { $hours } Stunden
}
review-days = { $days ->
    [one] ein Tag
   *[other] { $days } Tage
}
review-days-hours = { $days ->
    [one] ein Tag
   *[other] { $days } Tage
} und { $hours ->
    [one] eine Stunde
   *[other] { $hours } Stunden
}
review-workflow = Der Ablauf
review-stage-approved = genehmigt
review-stage-current = jetzt, Runde { $round }
review-stage-pending = noch nicht
review-stage-ended = hier beendet
review-rule-partner = { $approvals ->
    [one] · eine Person des Partners entscheidet
   *[other] · { $approvals } Personen des Partners entscheiden
}
review-rule-all = · alle { $people } benannten Personen des Partners entscheiden
review-rule-panels = { $panels ->
    [one] · ein Gremium des Partners entscheidet
   *[other] · { $panels } Gremien des Partners entscheiden
}
review-rule-platform = · AITasker entscheidet
review-rule-buyer = · der Auftraggeber entscheidet

# Was Entwickelnde an Stelle von Formularen sehen.
review-state = Stand
review-phase = Phase
review-version = Version
review-since = Wartet seit
review-due = Fällig
review-deadline = Frist der Aufgabe
review-allowed = Ihre Partei kann senden
review-trail-json = Der Verlauf als JSON
