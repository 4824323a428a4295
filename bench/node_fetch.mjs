// Prints the rows of a usage answer in COPY's text format: node_fetch.mjs URL
const answer = await fetch(process.argv[2]);
if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
const rows = await answer.json();
let text = '';
for (const row of rows) {
	text += `${row.ip}\t${row.user}\n`;
	if (text.length > 65536) {
		if (!process.stdout.write(text)) await new Promise(go => process.stdout.once('drain', go));
		text = '';
	}
}
process.stdout.write(text);
