/*
 * report_style.c - the head of the page of report.h: its policy, its style, and the script that
 * sorts a table and opens what a link leads into. Everything is there without the script.
 */
#include "picture/report.h"
#include "tensor/sha256.h"

/* Contrast of text: at least 4.5 to 1 on --paper and on --panel, by day and by night. */
static const char g_colours[] =
    ":root{color-scheme:light dark;--paper:#fff;--panel:#f3f5f8;--ink:#1b1f24;--soft:#515961;"
    "--line:#d0d7de;--link:#0a58a8;--tint:#cfe0f3;--c0:#2166ac;--c1:#b2532b;--c2:#1a7f5a;"
    "--c3:#7d4ba3;--c4:#8a5c00;--c5:#c2337a}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#0f1419;--panel:#192028;--ink:#e6e9ec;"
    "--soft:#a3aeb9;--line:#36414d;--link:#7db9f7;--tint:#23415f;--c0:#6cb0f5;--c1:#f0a070;"
    "--c2:#5fcf9f;--c3:#c39be8;--c4:#e0b84c;--c5:#f285b8}}\n";

static const char g_text[] =
    "*{box-sizing:border-box}\n"
    "html{scroll-padding-top:1rem;-webkit-text-size-adjust:100%;text-size-adjust:100%}"
    "body{margin:0 auto;max-width:70rem;padding:1.25rem 1.5rem 3rem;background:var(--paper);"
    "color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "a{color:var(--link)}h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem}"
    "h2{font-size:1.35rem;line-height:1.3;margin:0 0 .5rem}"
    "h3{font-size:1.1rem;margin:1.25rem 0 .4rem}"
    "section{margin-top:2rem;padding-top:1.25rem;border-top:1px solid var(--line)}\n"
    ".soft{color:var(--soft)}p{margin:.5rem 0;max-width:46rem}.say{font-size:1.15rem;"
    "max-width:50rem}.wide{max-width:none}\n"
    ".contents ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1rem 0 0;"
    "padding:0}.contents a{display:inline-block;padding:.2rem 0}\n"
    "details{margin:.6rem 0}summary{cursor:pointer;padding:.3rem 0}summary h2,summary "
    "h3{display:inline;margin:0 .75rem 0 0}summary h3{font-weight:500;font-size:1rem}"
    "summary:focus-visible,a:focus-visible,button:focus-visible{outline:2px solid var(--link);"
    "outline-offset:2px}\n"
    ".model{margin:0;padding:.6rem 0}:not(.model)+.model{margin-top:2rem}.model>details{margin:0}"
    "pre{background:var(--panel);border-radius:8px;padding:1rem;line-height:1.4;"
    "white-space:pre-wrap}\n";

static const char g_tables[] =
    ".scroll{overflow-x:auto;margin:.75rem 0}\n"
    "table{border-collapse:collapse;font-size:.9375rem;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;color:var(--soft);padding:0 0 .4rem;font-size:1rem;max-width:46rem}"
    "th,td{padding:.3rem 1.1rem .3rem 0;text-align:left;vertical-align:baseline}"
    "thead th{overflow-wrap:normal;color:var(--soft);font-weight:500;border-bottom:1px solid "
    "var(--line)}"
    "tbody th{font-weight:500;min-width:4.5rem}tbody tr+tr>*{border-top:1px solid var(--panel)}"
    ".n{text-align:right}td.n{white-space:nowrap}.sd,.rest{color:var(--soft);font-weight:400}"
    "td{overflow-wrap:normal}.taken "
    "td{overflow-wrap:anywhere}.rest>*{font-weight:400;white-space:nowrap}tbody "
    "tr.rest>*{border-top:1px solid var(--line)}\n"
    ".best{font-weight:700;text-decoration:underline 2px "
    "var(--c1);text-underline-offset:3px}.hidden{position:absolute;width:1px;height:1px;"
    "overflow:hidden;clip-path:inset(50%);white-space:nowrap}\n"
    ".bar{background:linear-gradient(var(--tint),var(--tint)) left .2rem/var(--p) 1.5em no-repeat;"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact;min-width:3.5rem}"
    ".bars .bar{padding-right:.4rem}.bars thead "
    "th+th{overflow-wrap:anywhere;padding-right:.4rem;min-width:3rem}.bars "
    "td+td{border-left:.5rem solid transparent}"
    ".sort button{font:inherit;color:inherit;background:none;border:0;border-bottom:1px dotted;"
    "padding:.15rem 0;cursor:pointer;text-align:inherit}[aria-sort=ascending] "
    "button::after{content:\" ▲\"}[aria-sort=descending] button::after{content:\" ▼\"}\n"
    ".kind{color:var(--soft);font-weight:400;white-space:nowrap}.kind.free{white-space:normal}\n";

static const char g_figures[] =
    ".numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.6rem;"
    "margin:1rem 0;max-width:60rem}.numbers div{background:var(--panel);border-radius:8px;"
    "padding:.6rem .8rem}.numbers b{display:block;font-size:1.6rem;line-height:1.2}\n"
    "figure{margin:0}.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,"
    "20rem),1fr));gap:1.25rem}.curve{display:flex;flex-wrap:wrap;gap:.5rem 2rem;"
    "align-items:center}.curve svg{flex:0 1 26rem;width:min(100%,26rem)}.curve "
    "figcaption{flex:1 1 14rem}\n"
    ".plot{display:block;width:100%;height:auto}.plot text{fill:var(--soft);font-size:17px}"
    ".grid{stroke:var(--line);stroke-width:.6}"
    ".axis{fill:none;stroke:var(--soft)}.line{fill:none;stroke-width:2.5;stroke-linejoin:round}"
    ".chance{stroke:var(--soft);stroke-dasharray:1 3}.d1{stroke-dasharray:8 4}"
    ".d2{stroke-dasharray:3 3}"
    ".area{fill:var(--c0);opacity:.12}.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}"
    ".c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.c4{stroke:var(--c4)}.c5{stroke:var(--c5)}\n"
    ".mark{stroke-width:2}.mark.native{fill:var(--soft);stroke:var(--paper)}"
    ".mark.selected{fill:var(--c1);stroke:var(--paper)}.mark.hollow{fill:var(--paper);"
    "stroke:var(--ink)}.mark.open{fill:var(--paper)}\n"
    ".key{display:flex;align-items:center;gap:.5rem}.key svg{flex:none;width:1.75rem;"
    "height:.9rem}.keys{list-style:none;margin:.5rem 0;padding:0}"
    ".keys.row{display:flex;flex-wrap:wrap;gap:0 1.25rem}\n"
    ".matrix{display:block;width:min(100%,34rem);height:auto;background:var(--panel)}"
    ".matrix .right{fill:var(--c0)}.matrix .wrong{fill:var(--c1)}"
    ".matrix .edge{stroke:var(--soft);stroke-width:.15;fill:none}\n"
    ".cards{display:grid;align-items:start;grid-template-columns:repeat(auto-fill,minmax(min(100%,"
    "15rem),1fr));"
    "gap:.9rem}.cards.few{grid-template-columns:repeat(auto-fit,minmax(min(47%,12rem),1fr))}"
    ".cards.maps{grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr))}"
    ".card{background:var(--panel);border-radius:8px;overflow:hidden;break-inside:avoid}"
    ".card figcaption{padding:.5rem .75rem .75rem;line-height:1.4}"
    ".strip{display:grid;gap:2px}.strip.two{grid-template-columns:1fr 1fr}"
    ".strip.three{grid-template-columns:1fr 1fr 1fr}"
    "img{display:block;width:100%;height:auto;aspect-ratio:1;object-fit:cover}"
    ".card p{margin:.3rem 0 0}.wrong-answer{color:var(--c1);font-weight:600}"
    ".right-answer{color:var(--c2);font-weight:600}\n";

/* A phone: heads of many narrow columns stand upright, deviations under their means. */
static const char g_small[] =
    "@media(max-width:34rem){body{padding:1rem 1rem 2rem}h1{font-size:1.6rem}"
    "section{margin-top:1.25rem;padding-top:1rem}"
    "th,td{padding-right:.5rem}tbody th{min-width:3.5rem}.sd{display:block}"
    ".bars .bar,.bars thead th+th{min-width:2.75rem;padding-right:.2rem}"
    ".bars tbody th{min-width:6rem}.bars td+td{border-left-width:.25rem}"
    ".parts th,.parts td,.figures th,.figures td{padding-right:.35rem}"
    ".many thead th+th{writing-mode:vertical-rl;text-align:left;padding:.3rem 0}"
    ".numbers{grid-template-columns:repeat(auto-fit,minmax(6.6rem,1fr));gap:.4rem}"
    ".numbers div{padding:.5rem .6rem}.numbers b{font-size:1.35rem}}\n";

/* Paper: light colours whatever the screen has, what is folded stays so. */
static const char g_paper[] =
    "@media print{:root{color-scheme:light;--paper:#fff;--panel:#f3f5f8;--ink:#000;--soft:#444;"
    "--line:#bbb;--link:#000;--tint:#cfe0f3;--c0:#2166ac;--c1:#b2532b;--c2:#1a7f5a;--c3:#7d4ba3;"
    "--c4:#8a5c00;--c5:#c2337a}body{max-width:none;padding:0;font-size:11pt}.contents{display:none}"
    "figure,tr,.numbers{break-inside:avoid}h2,h3,summary{break-after:avoid}"
    ".scroll{overflow:visible}.cards.maps{grid-template-columns:1fr 1fr}}\n";

/* Sorting: a click on a head sorts by it, another turns the order round; what is no number stays
 * last. A link into a model's folded part opens it. */
static const char g_script[] =
    "document.querySelectorAll('table.sort').forEach(function(table){\n"
    "var body=table.tBodies[0],heads=Array.from(table.tHead.rows[0].cells);\n"
    "heads.forEach(function(head,column){\n"
    "var button=document.createElement('button');button.type='button';\n"
    "while(head.firstChild)button.appendChild(head.firstChild);\n"
    "head.appendChild(button);\n"
    "button.addEventListener('click',function(){\n"
    "var down=head.getAttribute('aria-sort')==='ascending',sign=down?-1:1;\n"
    "var rows=Array.from(body.rows).map(function(row){\n"
    "var text=row.cells[column].textContent;return{row:row,text:text,number:parseFloat(text)}});\n"
    "rows.sort(function(a,b){\n"
    "if(column===0)return sign*a.text.localeCompare(b.text,undefined,{numeric:true});\n"
    "var none=isNaN(a.number)-isNaN(b.number);return none||sign*(a.number-b.number)||0});\n"
    "rows.forEach(function(r){body.appendChild(r.row)});\n"
    "heads.forEach(function(h){h.removeAttribute('aria-sort')});\n"
    "head.setAttribute('aria-sort',down?'descending':'ascending')})})});\n"
    "function reveal(){\n"
    "var target=document.getElementById(location.hash.slice(1));if(!target)return;\n"
    "var inner=target.querySelector(':scope>details');if(inner)inner.open=true;\n"
    "for(var "
    "at=target.parentElement;at;at=at.parentElement)if(at.tagName==='DETAILS')at.open=true;\n"
    "target.scrollIntoView()}\n"
    "addEventListener('hashchange',reveal);if(location.hash)reveal();\n";

/* Only this very script runs: the policy names its hash (CSP level 2). */
static un_status script_hash(FILE *out) {
    un_sha256 *hash = NULL;
    unsigned char digest[32];
    UN_TRY(un_sha256_open(&hash));
    un_status status = un_sha256_add(hash, g_script, sizeof g_script - 1);
    if (!status) status = un_sha256_digest(hash, digest);
    un_sha256_close(hash);
    if (!status) un_html_base64(out, digest, sizeof digest);
    return status;
}

un_status un_report_head(FILE *out, const char *title) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "base-uri 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline'; "
          "script-src 'sha256-",
          out);
    UN_TRY(script_hash(out));
    fputs("'\">\n<title>", out);
    un_html_text(out, title);
    fprintf(out, ": zero-shot classification</title>\n<style>\n%s%s%s%s%s%s</style>\n</head>",
            g_colours, g_text, g_tables, g_figures, g_small, g_paper);
    return UNSEEN_OK;
}

void un_report_script(FILE *out) { fprintf(out, "<script>%s</script>\n", g_script); }
