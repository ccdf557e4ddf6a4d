var now = new Date();
var nextWeek = new Date(now.getTime() + 7 * 24 * 60 * 60 * 1000);
var response = await window.appspace.widgetApi.callAuthenticatedAPI('getEvents', {
params: {
startDate: now.toISOString(),
endDate: nextWeek.toISOString()
}
});
if (response.status === 200 && response.data && response.data.isSuccess) {
var events = response.data.body.value;
events.forEach(function(event) {
console.log(event.subject, event.start.dateTime);
});
}
