# What every page has.
service = Stagegate
skip = Skip to the content
acting = You are
acting-here = You are here
acting-partner = for the partner
acting-platform = for AITasker
acting-buyer = as the buyer
sign-out = Sign out
signed-out = You are signed out
signed-out-text = To come back, open a link that is still valid, or sign in where you got the last one.
navigation = Pages
nav-tasks = Tasks
nav-inbox = Inbox
nav-workflows = Workflows
nav-webhooks = Webhooks
nav-deliveries = Deliveries
nav-insights = Insights
nav-people = People
nav-absences = Absences
nav-keys = Keys
nav-partners = Partners
nav-erasures = Erasures
sending = Sending…
sending-again = No answer. Trying again.
not-sent = Not sent. You are offline, and nothing was decided. You can try again.
offline = No connection. We keep trying.
session-over = Your session has ended. What you typed is kept in this tab. Open your link again to go on.
changed = Something has changed since you opened this page.
show-new = Show the new state

home = Stagegate
home-text = Here people follow, review and decide work on AITasker.
home-how = You come in by a link: from AITasker, or from the partner that you review for. If yours does not work, ask whoever sent it for a new one.

month-1 = Jan
month-2 = Feb
month-3 = Mar
month-4 = Apr
month-5 = May
month-6 = Jun
month-7 = Jul
month-8 = Aug
month-9 = Sep
month-10 = Oct
month-11 = Nov
month-12 = Dec

# Errors.
error-quote = If you ask for help, quote
error-not-found = There is no such page
error-not-found-text = The address may be mistyped, or the page belongs to somebody else. Nothing was changed.
error-archived = This task has been put away
error-archived-text = It ended long ago, and its history was moved to an archive. AITasker can find it there by its number in the address of this page. Nothing was changed.
error-no-session = You are not signed in
error-no-session-text = Your session has ended, or this browser never had one. Open your link again, or ask for a new one where you got it. Nothing was changed.
error-forged = This form was not accepted
error-forged-text = It did not come from a page of this session. Open the page again and send it from there. If this stays, a program between your browser and this service changes its requests. Nothing was changed.
error-not-allowed = Your link does not reach this page
error-not-allowed-text = It was made for something else. Ask for a link to this page where you got yours. Nothing was changed.
error-too-many = Too many requests
error-too-many-text = Wait a minute, then try again. Nothing was changed.
error-too-large = The form is too large
error-too-large-text = A form may have 1 MiB. Shorten the texts. Nothing was changed.
error-unreadable = The form cannot be read
error-unreadable-text = Open the page again and send it from there. Nothing was changed.
error-unavailable = The service is not available at the moment
error-unavailable-text = Nothing was changed. Try again in a few seconds.
error-unanswered = It is not known whether this was recorded
error-unanswered-text = The database did not answer in time. Send the same form again: it has its effect only once.
error-internal = Something went wrong on our side
error-internal-text = It is not certain that your form was recorded. Send it again: it has its effect only once. If the error stays, ask for help.

# Words that several pages use.
party-partner = the partner
party-platform = AITasker
party-buyer = the buyer
